"""Names that the operators exchange or take away, in NumPy, `keras.ops` and plain Python."""

from __future__ import annotations

import ast

OPERATIONS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.MatMult: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
COMPARISONS = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
FUNCTIONS = {
    "add": "subtract", "subtract": "add", "multiply": "divide", "divide": "multiply",
    "true_divide": "multiply", "floor_divide": "divide", "power": "multiply",
    "matmul": "multiply", "dot": "multiply", "sin": "cos", "cos": "sin", "exp": "expm1",
    "log": "log1p", "floor": "ceil", "ceil": "floor", "ones": "zeros", "zeros": "ones",
    "ones_like": "zeros_like", "zeros_like": "ones_like", "sigmoid": "tanh", "tanh": "sigmoid",
    "less": "less_equal", "less_equal": "less", "greater": "greater_equal",
    "greater_equal": "greater", "equal": "not_equal", "not_equal": "equal",
    "logical_and": "logical_or", "logical_or": "logical_and", "any": "all", "all": "any",
}  # fmt: skip
ORDERED = (ast.Sub, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.MatMult)
SYMMETRIC = {
    "add", "multiply", "maximum", "minimum", "equal", "not_equal", "logical_and", "logical_or",
    "min", "max", "hypot", "isinstance", "isclose", "allclose", "array_equal", "zip",
}  # fmt: skip
LOSES_RIGHT = (ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.Add, ast.Sub)
LOSES_LEFT = (ast.Mult, ast.Add)
PRODUCTS = {"multiply", "add"}
QUOTIENTS = {"divide", "true_divide", "floor_divide", "power", "subtract"}
COUNTS = {"range", "arange", "linspace", "eye", "identity"}
TRANSPOSES = {"transpose", "swapaxes", "moveaxis"}
REDUCTIONS = {
    "sum": ("mean",), "mean": ("sum",), "average": ("sum",), "prod": ("sum",),
    "max": ("min", "mean"), "min": ("max",), "amax": ("amin",), "amin": ("amax",),
    "maximum": ("minimum",), "minimum": ("maximum",), "argmax": ("argmin",),
    "argmin": ("argmax",), "std": ("var",), "var": ("std",), "median": ("mean",),
    "nansum": ("nanmean",), "nanmean": ("nansum",), "cumsum": ("cumprod",),
    "reduce_sum": ("reduce_mean",), "reduce_mean": ("reduce_sum",),
}  # fmt: skip
PART_OF_NORM = {"abs", "absolute", "sqrt", "square", "conj", "conjugate", "real", "log"}
CASTS = {
    "cast", "float", "int", "asarray", "array", "convert_to_tensor", "convert_to_numpy",
    "float32", "float64", "stop_gradient", "copy", "deepcopy", "atleast_1d", "atleast_2d",
}  # fmt: skip
CAST_METHODS = {"astype", "copy", "numpy", "item"}
MODULES = {"np", "numpy", "ops", "keras", "tf", "jnp", "torch", "math", "scipy", "copy", "linalg"}
STATE = {"random", "nn", "core", "sparse", "stats", "special"}


def is_module(node: ast.AST) -> bool:
    """Whether a node names a module, such as `np` or `keras.ops`."""
    if isinstance(node, ast.Name):
        return node.id in MODULES
    return isinstance(node, ast.Attribute) and node.attr in MODULES | STATE
