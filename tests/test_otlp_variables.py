"""OpenTelemetry's variables, as far as we read them: what is masked, and what is refused."""

from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from streamer.config import read_otlp

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"
TIMEOUT = "OTEL_EXPORTER_OTLP_TIMEOUT"
TRACES_TIMEOUT = "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"
SAMPLER = "OTEL_TRACES_SAMPLER"
CERTIFICATE = "OTEL_EXPORTER_OTLP_CERTIFICATE"
CLIENT = "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"
CLIENT_KEY = "OTEL_EXPORTER_OTLP_CLIENT_KEY"


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


@pytest.mark.parametrize(
    ("variables", "allowed"),
    [
        ({TIMEOUT: "10s"}, f"{TIMEOUT}='10s': allowed: seconds, a number above 0"),
        ({TIMEOUT: "0"}, f"{TIMEOUT}='0'"),
        ({TIMEOUT: "inf"}, f"{TIMEOUT}='inf'"),
        ({TIMEOUT: "7", TRACES_TIMEOUT: "-1"}, f"{TRACES_TIMEOUT}='-1'"),
        ({"OTEL_EXPORTER_OTLP_COMPRESSION": "zstd"}, "='zstd': allowed: gzip, deflate or none"),
        ({"OTEL_BSP_SCHEDULE_DELAY": "5s"}, "='5s': allowed: milliseconds, a whole number"),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "-5"}, "='-5': allowed: a whole number from 1 on"),
        ({"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "0"}, "='0': allowed: a whole number from 1 on"),
        ({"OTEL_SPAN_LINK_COUNT_LIMIT": "many"}, "='many': allowed: a whole number from 0 on"),
        ({SAMPLER: "ratio"}, "='ratio': allowed: always_on, always_off, traceidratio"),
        ({SAMPLER: "traceidratio", f"{SAMPLER}_ARG": "1%"}, f"{SAMPLER}_ARG=****: allowed: the share"),
        ({SAMPLER: "parentbased_traceidratio", f"{SAMPLER}_ARG": "2"}, f"{SAMPLER}_ARG='2'"),
    ],
)
def test_what_would_be_taken_for_the_default_is_refused(variables: dict[str, str], allowed: str) -> None:
    """OpenTelemetry doubts such a value in its log and goes on; we say what is allowed."""
    (problem,) = read_otlp(variables).problems

    assert allowed in problem
    assert problem.startswith("OTEL_")


def test_what_opentelemetry_can_read_is_not_refused() -> None:
    """Fractions of a second, any case, an argument of a sampler that takes none, and nothing at all."""
    variables = {
        TIMEOUT: "0.5",
        TRACES_TIMEOUT: "",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "GZIP",
        "OTEL_BSP_MAX_QUEUE_SIZE": "2048",
        "OTEL_SPAN_LINK_COUNT_LIMIT": "0",
        SAMPLER: "TraceIdRatio",
        f"{SAMPLER}_ARG": "1e-3",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": "",
    }
    assert read_otlp(variables).problems == ()
    assert read_otlp({SAMPLER: "always_on", f"{SAMPLER}_ARG": "none"}).problems == ()


def test_a_value_that_may_be_a_secret_is_not_repeated() -> None:
    """A key that came into the wrong variable, or into the place of its file's path."""
    key = "-----BEGIN PRIVATE KEY----- sEcReT"
    variables = {TIMEOUT: "Bearer sEcReT", CERTIFICATE: "sEcReT", CLIENT: key, CLIENT_KEY: "sEcReT\0"}
    problems = read_otlp(variables).problems

    assert len(problems) == 4
    assert "sEcReT" not in "".join(problems)


def test_files_that_are_not_there_are_refused(tmp_path: Path) -> None:
    """Each by its variable; a key alone is read by nobody."""
    problems = read_otlp({CERTIFICATE: f"{tmp_path}/ca.pem", CLIENT: f"{tmp_path}/our.pem"}).problems

    assert problems == tuple(
        f"{name}: the file cannot be read (No such file or directory); mount it or correct the path"
        for name in (CERTIFICATE, CLIENT)
    )
    assert read_otlp({CLIENT_KEY: f"{tmp_path}/key.pem"}).problems == ()


def test_files_that_hold_no_certificate_are_refused(tmp_path: Path) -> None:
    """What is empty, another's key, and a key with a password, which nobody would be there to type."""
    ours, authority = trustme.CA().issue_cert("streamer.example"), trustme.CA()
    files = {
        "ca": authority.cert_pem.bytes(),
        "none": b"",
        "cert": ours.cert_chain_pems[0].bytes(),
        "key": ours.private_key_pem.bytes(),
        "other": authority.issue_cert("x.example").private_key_pem.bytes(),
        "locked": load_pem_private_key(ours.private_key_pem.bytes(), None).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")
        ),
        "both": ours.private_key_and_cert_chain_pem.bytes(),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    def refused(**named: str) -> list[str]:
        names = {"ca": CERTIFICATE, "cert": CLIENT, "key": CLIENT_KEY}
        found = read_otlp({names[each]: str(tmp_path / path) for each, path in named.items()})
        return [problem.partition(":")[0] for problem in found.problems]

    assert refused(ca="ca", cert="cert", key="key") == refused(ca=".", cert="both") == []
    assert refused(ca="none") == [CERTIFICATE]
    for wrong in ("other", "locked", "none"):
        assert refused(cert="cert", key=wrong) == [f"{CLIENT}, {CLIENT_KEY}"]
    assert refused(cert="cert") == [CLIENT]
