"""The operators make the mistakes that they promise, in the solution's lines and nowhere else."""

import ast

import pytest

from stepkit.course.mutation import NoRegion, mutants
from stepkit.course.mutation.operators import ON_NODES, ON_STATEMENTS


def changes(*lines, operator=None, arguments="x, y, h, n"):
    body = "\n".join(f"    {line}" for line in lines)
    source = f"def f({arguments}):\n    # BEGIN SOLUTION\n{body}\n    # END SOLUTION\n"
    return [each.after for each in mutants(source) if operator in (None, each.operator)]


@pytest.mark.parametrize(
    ("operator", "line", "expected"),
    [
        ("arithmetic", "return x + y", "return x - y"),
        ("arithmetic", "x *= y", "x /= y"),
        ("arithmetic", "return keras.ops.add(x, y)", "return keras.ops.subtract(x, y)"),
        ("arithmetic", "return x @ y", "return x * y"),
        ("comparison", "return x < y", "return x <= y"),
        ("comparison", "return x < y", "return x >= y"),
        ("comparison", "return x and y", "return x or y"),
        ("comparison", "return not x", "return x"),
        ("comparison", "return x is None", "return x is not None"),
        ("constant", "y = 2 - x", "y = 3 - x"),
        ("constant", "y = 0.5 - x", "y = 1.0 - x"),
        ("constant", "y = f(x, flag=True)", "y = f(x, flag=False)"),
        ("sign", "return -x", "return x"),
        ("sign", "return f(x)", "return -f(x)"),
        ("axis", "y = np.sum(x, axis=-1)", "y = np.sum(x, axis=0)"),
        ("axis", "y = np.sum(x, axis=1)", "y = np.sum(x, axis=0)"),
        ("axis", "y = np.sum(x, axis=(1, 2))", "y = np.sum(x, axis=(1,))"),
        ("keyword", "y = f(x, dt=h)", "y = f(x)"),
        ("keyword", "y = {'a': x, 'b': h}", "y = {'b': h}"),
        ("keyword", "super().__init__(**kwargs)", "super().__init__()"),
        ("swapped arguments", "y = f(x, h)", "y = f(h, x)"),
        ("swapped arguments", "y = x - h", "y = h - x"),
        ("swapped arguments", "y = np.where(x, y, h)", "y = np.where(x, h, y)"),
        ("lost factor", "y = x * h", "y = x"),
        ("lost factor", "y = x * h", "y = h"),
        ("lost factor", "y = x / h", "y = x"),
        ("lost factor", "y = x ** 2", "y = x"),
        ("lost factor", "y = np.multiply(x, h)", "y = h"),
        ("off by one", "y = x[n]", "y = x[n + 1]"),
        ("off by one", "y = x[-1]", "y = x[0]"),
        ("off by one", "y = x[1:]", "y = x[2:]"),
        ("off by one", "y = range(n)", "y = range(n + 1)"),
        ("off by one", "y = len(x)", "y = len(x) - 1"),
        ("transpose", "y = x.T", "y = x"),
        ("transpose", "y = x @ h", "y = x.T @ h"),
        ("transpose", "y = np.transpose(x)", "y = x"),
        ("transpose", "y = np.einsum('ij,jk->ik', x, h)", "y = np.einsum('ij,jk->ki', x, h)"),
        ("wrong norm", "y = np.mean(x)", "y = np.sum(x)"),
        ("wrong norm", "y = np.max(np.abs(x))", "y = np.max(x)"),
        ("wrong norm", "y = np.linalg.norm(x)", "y = np.linalg.norm(x, ord=1)"),
        ("wrong norm", "y = np.sqrt(x)", "y = x"),
        ("forgotten cast", "y = x.astype('float32')", "y = x"),
        ("forgotten cast", "y = np.asarray(x)", "y = x"),
        ("forgotten cast", "y = x.copy()", "y = x"),
        ("dropped statement", "y += h", "nothing"),
        ("dropped statement", "self.w = h", "nothing"),
        ("dropped statement", "if h < 0: raise ValueError(h)", "nothing"),
    ],
)
def test_each_operator(operator, line, expected):
    assert expected in changes(line, operator=operator)


def test_the_list_is_the_one_that_was_promised():
    assert {*ON_NODES, *ON_STATEMENTS} == {
        "arithmetic", "comparison", "constant", "sign", "axis", "keyword", "dropped statement",
        "swapped arguments", "lost factor", "off by one", "transpose", "wrong norm",
        "forgotten cast",
    }  # fmt: skip


SOURCE = '''class Layer(Base):
    """2 * 3."""

    scale = 1 + 1

    def call(self, x):
        """Returns -x + 1."""
        # BEGIN SOLUTION
        """Not 4 + 4 either."""
        if x > 2:
            raise ValueError(f"x is {x + 1}", 5 * 5)
        total: int = x * 2
        # END SOLUTION
        # STUB: total = 3 + 3
        return total + 7
'''


def test_only_the_solution_is_changed():
    made = mutants(SOURCE)
    original = ast.unparse(ast.parse(SOURCE)).splitlines()
    assert {each.line for each in made} == {10, 12}  # not the text, not what is raised
    for each in made:
        changed = [line for line in each.source.splitlines() if line not in original]
        assert all("x >" in line or "total:" in line or "x <" in line for line in changed)
        for kept in ("2 * 3", "1 + 1", "-x + 1", "4 + 4", "total + 7"):
            assert kept in each.source


def test_each_mutant_is_one_change_and_differs_from_all_others():
    made = mutants(SOURCE)
    assert len({each.source for each in made}) == len(made) > 5
    original = ast.unparse(ast.parse(SOURCE)).splitlines()
    for each in made:
        lines = each.source.splitlines()
        assert sum(a != b for a, b in zip(lines, original, strict=False)) == 1 or (
            each.operator == "dropped statement"
        )


def test_a_description_is_one_line_that_a_mark_can_quote():
    for each in mutants(SOURCE.replace("x * 2", 'x * f("a")')):
        assert '"' not in each.description
        assert "\n" not in each.description
        assert each.description.count(" -> ") == 1


def test_names_that_would_only_go_missing_are_kept():
    assert "nothing" not in changes("z = x * h", "return z")
    assert "nothing" in changes("z = x * h", "z = z + 1", "return z")


def test_a_number_in_an_index_is_changed_by_one_operator_only():
    assert changes("y = x[1]", operator="constant") == []
    assert changes("y = np.sum(x, axis=1)", operator="constant") == []


def test_an_answer_without_a_region_is_refused():
    with pytest.raises(NoRegion, match="BEGIN SOLUTION"):
        mutants("def f(x):\n    return x + 1\n")


def test_the_same_mutants_in_the_same_order_each_time():
    assert [each.description for each in mutants(SOURCE)] == [
        each.description for each in mutants(SOURCE)
    ]
