"""Explicit Runge-Kutta pairs: two orders from the same stages, and so an estimate of the error."""

from stepkit.ode.explicit import SOLVERS, NamedRungeKutta
from stepkit.ode.tableau import ButcherTableau


@SOLVERS.register("rk23")
class Bosh3(NamedRungeKutta):
    """Bogacki and Shampine's pair: order 3 with an embedded order 2, 4 stages, FSAL.

    The last slope is the first of the next step, so a step costs 3 evaluations. The dense output is
    the cubic Hermite polynomial. Also known as RK23 and ode23.

    Example:
    >>> solver = Bosh3()
    >>> solver.order, solver.tableau.embedded_order, solver.tableau.fsal
    (3, 2, True)

    Reference: P. Bogacki, L. F. Shampine, Appl. Math. Lett. 2 (1989) 321-325.
    """

    TABLEAU = ButcherTableau(
        a=[[0, 0, 0, 0], [1 / 2, 0, 0, 0], [0, 3 / 4, 0, 0], [2 / 9, 1 / 3, 4 / 9, 0]],
        b=[2 / 9, 1 / 3, 4 / 9, 0],
        c=[0, 1 / 2, 3 / 4, 1],
        b_err=[2 / 9 - 7 / 24, 1 / 3 - 1 / 4, 4 / 9 - 1 / 3, -1 / 8],
    )


@SOLVERS.register("rk45")
class Dopri5(NamedRungeKutta):
    """Dormand and Prince's pair: order 5 with an embedded order 4, 7 stages, FSAL.

    A step costs 6 evaluations. The dense output is Shampine's polynomial of degree 4. Also known as
    RK45, RKDP and ode45. Not to be confused with Fehlberg's pair, which is called RK45 as well.

    Example:
    >>> solver = Dopri5()
    >>> solver.order, solver.tableau.embedded_order, solver.tableau.fsal
    (5, 4, True)

    Reference: J. R. Dormand, P. J. Prince, J. Comp. Appl. Math. 6 (1980) 19-26; dense output:
    L. F. Shampine, Math. Comp. 46 (1986) 135-150.
    """

    TABLEAU = ButcherTableau(
        a=[
            [0, 0, 0, 0, 0, 0, 0],
            [1 / 5, 0, 0, 0, 0, 0, 0],
            [3 / 40, 9 / 40, 0, 0, 0, 0, 0],
            [44 / 45, -56 / 15, 32 / 9, 0, 0, 0, 0],
            [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729, 0, 0, 0],
            [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656, 0, 0],
            [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84, 0],
        ],
        b=[35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84, 0],
        c=[0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1],
        b_err=[
            35 / 384 - 5179 / 57600,
            0,
            500 / 1113 - 7571 / 16695,
            125 / 192 - 393 / 640,
            -2187 / 6784 + 92097 / 339200,
            11 / 84 - 187 / 2100,
            -1 / 40,
        ],
        interpolant=[
            [
                1,
                -8048581381 / 2820520608,
                8663915743 / 2820520608,
                -12715105075 / 11282082432,
            ],
            [0, 0, 0, 0],
            [
                0,
                131558114200 / 32700410799,
                -68118460800 / 10900136933,
                87487479700 / 32700410799,
            ],
            [
                0,
                -1754552775 / 470086768,
                14199869525 / 1410260304,
                -10690763975 / 1880347072,
            ],
            [
                0,
                127303824393 / 49829197408,
                -318862633887 / 49829197408,
                701980252875 / 199316789632,
            ],
            [0, -282668133 / 205662961, 2019193451 / 616988883, -1453857185 / 822651844],
            [0, 40617522 / 29380423, -110615467 / 29380423, 69997945 / 29380423],
        ],
    )


@SOLVERS.register()
class Tsit5(NamedRungeKutta):
    """Tsitouras' pair: order 5 with an embedded order 4, 7 stages, FSAL.

    A step costs 6 evaluations; the error is usually a little smaller than Dormand and Prince's at
    the same step. The dense output is Tsitouras' polynomial of degree 4.

    Example:
    >>> solver = Tsit5()
    >>> solver.order, solver.tableau.embedded_order, solver.tableau.fsal
    (5, 4, True)

    Reference: Ch. Tsitouras, Comput. Math. Appl. 62 (2011) 770-775.
    """

    _B = (
        0.09646076681806523,
        0.01,
        0.4798896504144996,
        1.379008574103742,
        -3.290069515436081,
        2.324710524099774,
        0.0,
    )
    TABLEAU = ButcherTableau(
        a=[
            [0, 0, 0, 0, 0, 0, 0],
            [0.161, 0, 0, 0, 0, 0, 0],
            [-0.008480655492356989, 0.335480655492357, 0, 0, 0, 0, 0],
            [2.8971530571054935, -6.359448489975075, 4.3622954328695815, 0, 0, 0, 0],
            [
                5.325864828439257,
                -11.748883564062828,
                7.4955393428898365,
                -0.09249506636175525,
                0,
                0,
                0,
            ],
            [
                5.86145544294642,
                -12.92096931784711,
                8.159367898576159,
                -0.071584973281401,
                -0.028269050394068383,
                0,
                0,
            ],
            _B,
        ],
        b=_B,
        c=[0, 0.161, 0.327, 0.9, 0.9800255409045097, 1, 1],
        b_err=[
            0.0017800110522257773,
            0.0008164344596567463,
            -0.007880878010261996,
            0.1447110071732629,
            -0.5823571654525552,
            0.45808210592918686,
            -1 / 66,
        ],
        interpolant=[
            [1, -2.763706197274826, 2.9132554618219126, -1.0530884977290216],
            [0, 0.1317, -0.2234, 0.1017],
            [0, 3.9302962368947516, -5.941033872131505, 2.490627285651253],
            [0, -12.411077166933676, 30.33818863028232, -16.548102889244902],
            [0, 37.50931341651104, -88.1789048947664, 47.37952196281928],
            [0, -27.896526289197286, 65.09189467479366, -34.87065786149661],
            [0, 1.5, -4, 2.5],
        ],
    )
