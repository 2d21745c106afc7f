"""Which series there are to ask for, and which an expression asks for."""

import promql_parser

from streamer.metrics import CATALOGUE
from tools import alerts

SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}
OF_THE_PROCESS = {"process_start_time_seconds", "process_cpu_seconds_total", "process_resident_memory_bytes"}


def known_series() -> set[str]:
    """What a scrape holds, and what the rules record."""
    ours = {metric.name + suffix for metric in CATALOGUE for suffix in SUFFIXES[metric.kind]}
    return ours | {rule["record"] for rule in alerts.recordings()} | OF_THE_PROCESS


def series_of(expression: str) -> set[str]:
    """The names of the series that an expression asks for. Raises ValueError where it is no PromQL."""
    names: set[str] = set()
    left = [promql_parser.parse(expression)]
    while left:
        match left.pop():
            case promql_parser.VectorSelector() as node:
                names.add(str(node.name))
            case promql_parser.MatrixSelector() as node:
                left.append(node.vector_selector)
            case promql_parser.BinaryExpr() as node:
                left += [node.lhs, node.rhs]
            case promql_parser.Call() as node:
                left += node.args
            case (
                promql_parser.AggregateExpr()
                | promql_parser.ParenExpr()
                | promql_parser.UnaryExpr()
                | promql_parser.SubqueryExpr() as node
            ):
                left.append(node.expr)
            case promql_parser.NumberLiteral() | promql_parser.StringLiteral():
                pass
            case node:
                raise NotImplementedError(type(node).__name__)
    return names
