"""OpenTelemetry's variables, as far as we read them: what is masked, and what is refused."""

import pytest

from streamer.config import read_otlp

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"


def test_nothing_set_is_the_collector_of_this_machine() -> None:
    """OpenTelemetry's own default, without a problem and without a secret."""
    found = read_otlp({})

    assert (found.shown_endpoint, found.problems) == ("http://localhost:4318", ())
    assert not any(found.secrets)


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"])
def test_every_spelling_of_a_header_is_secret(name: str) -> None:
    """As it is written and as it is sent; an entry that is no header may be one without its name."""
    found = read_otlp({name: "api-key=one%20two , authorization = Basic dTpw==,naked three"})

    assert {"one%20two", "one two", "Basic dTpw==", "naked three"} <= set(found.secrets)
    assert not {"api-key", "authorization"} & set(found.secrets)
    assert "one" not in repr(found)


@pytest.mark.parametrize("name", [ENDPOINT, TRACES_ENDPOINT])
def test_what_is_secret_in_an_address(name: str) -> None:
    """User, password and query; the host is shown."""
    found = read_otlp({name: "https://user:pass%21word@collector.example:4318/v1/traces?key=value-1"})

    assert {"user:pass%21word", "user", "pass!word", "key=value-1"} <= set(found.secrets)
    assert found.shown_endpoint == "https://****@collector.example:4318/****"
    assert found.problems == ()


def test_the_address_for_traces_goes_first() -> None:
    """As OpenTelemetry has it."""
    found = read_otlp({ENDPOINT: "http://a.example:1", TRACES_ENDPOINT: "http://b.example:2/v1/traces"})

    assert found.shown_endpoint.startswith("http://b.example:2")


@pytest.mark.parametrize("name", [PROTOCOL, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"])
def test_another_protocol_is_refused(name: str) -> None:
    """Others set gRPC for all their programs: spans would go to a port that reads no HTTP."""
    (problem,) = read_otlp({name: "grpc"}).problems

    assert problem.startswith(f"{name}='grpc': spans are sent by http/protobuf alone")
    assert read_otlp({name: "http/protobuf"}).problems == ()


def test_the_protocol_for_traces_goes_first() -> None:
    """Where metrics of somebody else go by gRPC, spans may still go by HTTP."""
    assert read_otlp({PROTOCOL: "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"}).problems == ()


@pytest.mark.parametrize(
    "address",
    [
        *("collector:4318", "localhost", "https://", "grpc://c:4317", "sEcReT-tOkEn"),
        *("http://c.example:99999", "http://[::1", "http://:4318", "http://c.example 4318"),
    ],
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    """With what is allowed, and nothing shown that may be a secret."""
    (problem,) = read_otlp({ENDPOINT: address}).problems

    assert problem.startswith(f"{ENDPOINT}=")
    assert "allowed: http:// or https://, a host and its port" in problem
    assert "sEcReT" not in problem
