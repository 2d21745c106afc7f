"""What may be added to production: that it fits what it is added to."""

import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest

from streamer.config import PlanhatMode
from streamer.kafka.permissions import PERMISSIONS, Resource
from streamer.mapping.reading import read_mapping
from streamer.metrics import CATALOGUE
from tests.deploy.agreement import PAGE, container_of, mapping_of, mounted, pod_of, settings_of
from tests.deploy.kustomize import PRODUCTION, only, production_with, rendered
from tests.deploy.renderings import PRODUCTIONS, WITH_ALL, rendering
from tests.deploy.shipped import compose

PORTS_OF_NEIGHBOURS = {"kube-system": {53}, "kafka": {9092, 9093}, "schema-registry": {8081}}


def _partitions_in_compose() -> dict[str, int]:
    """The topics that compose makes, with their partitions."""
    (script,) = compose()["services"]["topics"]["command"]
    words = [line.split() for line in script.splitlines() if line.split()[:1] == ["topic"]]
    return {line[1]: int(line[line.index("--partitions") + 1]) for line in words}


@pytest.fixture
def scaled() -> Any:
    """The specification of the ScaledObject."""
    return only(rendering(WITH_ALL), "ScaledObject")["spec"]


@pytest.fixture
def policy() -> Any:
    """The specification of the NetworkPolicy."""
    return only(rendering(WITH_ALL), "NetworkPolicy")["spec"]


# --- namespaces ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRODUCTIONS)
def test_all_lies_in_the_namespace_but_what_is_kafkas(name: str) -> None:
    """Production is one namespace; topics and users are where the operator of Kafka looks for them."""
    for document in rendering(name):
        kafkas = document["apiVersion"].startswith("kafka.strimzi.io/")
        assert document["metadata"]["namespace"] == ("kafka" if kafkas else "streamer")


# --- without an API token ------------------------------------------------------------------------


def test_the_patch_of_the_page_does_without_an_api_token(tmp_path: Path) -> None:
    """With it and the mode, the pod starts on a secret that holds the tenant token alone."""
    (patch,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    copy = tmp_path / "k8s"
    production_with(set(), copy)
    overlay = copy / PRODUCTION
    (overlay / "passthrough.yaml").write_text(patch, encoding="utf-8")
    kustomization = overlay / "kustomization.yaml"
    kustomization.write_text(
        kustomization.read_text(encoding="utf-8").replace(
            "  - path: deployment.yaml\n", "  - path: deployment.yaml\n  - path: passthrough.yaml\n"
        ),
        encoding="utf-8",
    )
    with (overlay / "streamer.env").open("a", encoding="utf-8") as env:
        env.write("STREAMER_PLANHAT_MODE=passthrough\n")

    documents = rendered(overlay)
    keys = {key for secret, key in mounted(documents).values() if secret == "streamer-planhat"}
    settings = settings_of(documents, tmp_path)
    assert keys == {"tenant-token"}
    assert settings.planhat_mode is PlanhatMode.PASSTHROUGH
    assert settings.planhat_api_token is None


# --- the mapping file ----------------------------------------------------------------------------


def test_the_mapping_is_where_the_setting_says(tmp_path: Path) -> None:
    """The setting names the mounted file, streamer accepts it, and until it is written it changes nothing."""
    assert settings_of(rendering("production with mapping"), tmp_path).mapping_file is not None
    _, text = mapping_of(rendering("production with mapping"))

    assert read_mapping(text) == read_mapping("")


def test_a_changed_mapping_rolls_the_pods(tmp_path: Path) -> None:
    """The map's name ends in a hash of the file: pods of another file are another template."""
    copy = tmp_path / "k8s"
    before = pod_of(production_with({"mapping"}, copy))
    (copy / "components/mapping/mapping.toml").write_text('[identify]\nunlisted = "drop"\n', encoding="utf-8")

    assert pod_of(rendered(copy / PRODUCTION)) != before


# --- monitoring ----------------------------------------------------------------------------------


def test_every_pod_is_scraped_once() -> None:
    """The PodMonitor finds the pods and their port, and the annotations that ask for the same are gone."""
    documents = rendering(WITH_ALL)
    spec = only(documents, "PodMonitor")["spec"]
    (endpoint,) = spec["podMetricsEndpoints"]
    pod = pod_of(documents)

    assert spec["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert endpoint["port"] == container_of(documents)["ports"][0]["name"]
    assert endpoint["path"] == "/metrics"
    assert "annotations" not in pod["metadata"]
    assert pod_of(rendering("base"))["metadata"]["annotations"]["prometheus.io/path"] == "/metrics"


def test_dashboards_fit_into_a_config_map() -> None:
    """Dashboards come along, under the label that Grafana's sidecar collects, and small enough for etcd."""
    found = only(rendering(WITH_ALL), "ConfigMap", "streamer-dashboards")

    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert "streamer.json" in found["data"]
    # kubectl keeps a copy in an annotation, which may hold this much.
    assert sum(len(text.encode()) for text in found["data"].values()) < 256 * 1024


# --- KEDA ----------------------------------------------------------------------------------------


def test_replicas_stop_at_the_partitions(scaled: Any) -> None:
    """KEDA goes up to the topic's partitions and no further, as Strimzi and compose make them."""
    topics = {
        each["metadata"]["name"]: each["spec"]["partitions"]
        for each in rendering(WITH_ALL)
        if each["kind"] == "KafkaTopic"
    }
    data = only(rendering(WITH_ALL), "ConfigMap", _settings_name())["data"]

    assert topics == _partitions_in_compose()
    assert scaled["maxReplicaCount"] == topics[data["STREAMER_KAFKA_TOPIC"]]
    assert data["STREAMER_KAFKA_DEAD_LETTER_TOPIC"] in topics
    assert 2 <= scaled["minReplicaCount"] <= scaled["maxReplicaCount"]


def test_keda_scales_streamer_by_what_is_undelivered(scaled: Any) -> None:
    """The target is our Deployment, and the query one number of a metric of ours in our namespace."""
    documents = rendering(WITH_ALL)
    (trigger,) = scaled["triggers"]
    query = trigger["metadata"]["query"]
    selected = _selector(promql_parser.parse(query))
    (metric,) = (each for each in CATALOGUE if each.name == selected.name)

    assert "replicas" not in only(documents, "Deployment", scaled["scaleTargetRef"]["name"])["spec"]
    assert query.startswith("sum(max by (topic, partition) (")
    assert {"topic", "partition"} <= set(metric.labels)
    assert [(each.name, each.value) for each in selected.matchers.matchers] == [
        ("namespace", only(documents, "Deployment")["metadata"]["namespace"])
    ]


def test_what_may_be_in_flight_is_no_backlog(scaled: Any, tmp_path: Path) -> None:
    """The threshold of a replica is above its high water: back-pressure alone wants no other replica."""
    threshold = int(scaled["triggers"][0]["metadata"]["threshold"])

    assert threshold > settings_of(rendering(WITH_ALL), tmp_path).high_water_records


def test_nothing_is_taken_away_blindly(scaled: Any) -> None:
    """Without Prometheus, or without its number, as many replicas stay as there are, at least the fewest."""
    assert scaled["triggers"][0]["metadata"]["ignoreNullValues"] == "false"
    assert scaled["triggers"][0]["metricType"] == "AverageValue"
    assert scaled["fallback"] == {
        "failureThreshold": 3,
        "behavior": "currentReplicasIfHigher",
        "replicas": scaled["minReplicaCount"],
    }


def test_partitions_do_not_thrash(scaled: Any, tmp_path: Path) -> None:
    """Down by one at a time, not before the last one has drained, and not while a backlog may come back."""
    behavior = scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    (down,) = behavior["scaleDown"]["policies"]
    (up,) = behavior["scaleUp"]["policies"]
    drain = settings_of(rendering(WITH_ALL), tmp_path).drain_seconds

    assert down["type"] == "Pods"
    assert down["value"] == 1
    assert down["periodSeconds"] > 2 * drain
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] >= 1800
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] > drain
    assert up["value"] == scaled["maxReplicaCount"] - scaled["minReplicaCount"]  # one step, one rebalance


# --- network policy ------------------------------------------------------------------------------


def test_what_is_not_allowed_is_refused(policy: Any) -> None:
    """The policy is about streamer's pods, in both directions, and no rule of it is open to all."""
    labels = pod_of(rendering(WITH_ALL))["metadata"]["labels"]

    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert sorted(policy["policyTypes"]) == ["Egress", "Ingress"]
    assert all(rule.get("from") and rule.get("ports") for rule in policy["ingress"])
    assert all(rule.get("to") and rule.get("ports") for rule in policy["egress"])


def test_prometheus_alone_comes_in(policy: Any, tmp_path: Path) -> None:
    """From the namespace that KEDA asks for its Prometheus, to the port of the settings."""
    (rule,) = policy["ingress"]
    (source,) = rule["from"]
    address = only(rendering(WITH_ALL), "ScaledObject")["spec"]["triggers"][0]["metadata"]["serverAddress"]

    assert f".{_namespace(source)}.svc:" in address
    assert [port["port"] for port in rule["ports"]] == [settings_of(rendering(WITH_ALL), tmp_path).http_port]


def test_the_way_out_leads_to_what_the_settings_name(policy: Any, tmp_path: Path) -> None:
    """Names, Kafka and the registry, by namespace and port; the brokers of the settings are among them."""
    ways: dict[str, set[int]] = {}
    for rule in policy["egress"]:
        for peer in rule["to"]:
            if "namespaceSelector" in peer:
                ways.setdefault(_namespace(peer), set()).update(port["port"] for port in rule["ports"])
    settings = settings_of(rendering(WITH_ALL), tmp_path)

    assert ways == PORTS_OF_NEIGHBOURS
    for broker in settings.kafka_bootstrap_servers.split(","):
        host, _, port = broker.partition(":")
        assert int(port) in ways[host.split(".")[1]]


def test_planhat_is_reached_by_https_and_the_cluster_is_not(policy: Any) -> None:
    """To public addresses only TLS goes out, and addresses of private networks are none."""
    (rule,) = (rule for rule in policy["egress"] if any("ipBlock" in peer for peer in rule["to"]))
    blocks = {peer["ipBlock"]["cidr"]: set(peer["ipBlock"]["except"]) for peer in rule["to"]}

    assert [(port["port"], port["protocol"]) for port in rule["ports"]] == [(443, "TCP")]
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"} <= blocks["0.0.0.0/0"]
    assert "fc00::/7" in blocks["::/0"]


# --- Strimzi -------------------------------------------------------------------------------------


def test_dead_letters_are_kept_longer() -> None:
    """Both topics survive a broker, and letters stay at least four times as long as events."""
    documents = rendering(WITH_ALL)
    topics = {each["metadata"]["name"]: each["spec"] for each in documents if each["kind"] == "KafkaTopic"}
    events, letters = (topics[name] for name in ("segment.events", "segment.events.dead-letters"))

    for spec in topics.values():
        assert spec["replicas"] == 3
        assert int(spec["config"]["min.insync.replicas"]) == 2
    assert int(letters["config"]["retention.ms"]) >= 4 * int(events["config"]["retention.ms"])


def test_the_user_may_do_what_it_needs_and_no_more(tmp_path: Path) -> None:
    """Each ACL is one that a command needs, on the topics and groups of the settings."""
    user = only(rendering(WITH_ALL), "KafkaUser")
    settings = settings_of(rendering(WITH_ALL), tmp_path)
    granted = {
        (acl["resource"]["type"], acl["resource"]["name"], operation)
        for acl in user["spec"]["authorization"]["acls"]
        for operation in acl["operations"]
    }
    names = {
        Resource.EVENTS: settings.kafka_topic,
        Resource.LETTERS: settings.kafka_dead_letter_topic,
        Resource.GROUP: settings.kafka_group_id,
        Resource.REPLAY_GROUP: f"{settings.kafka_group_id}.replay",
    }
    assert granted == {(row.resource.kind, names[row.resource], row.operation) for row in PERMISSIONS}
    assert all(acl["resource"]["patternType"] == "literal" for acl in user["spec"]["authorization"]["acls"])


def test_the_user_is_the_one_that_connects(tmp_path: Path) -> None:
    """The properties shown name the KafkaUser, and the mechanism that it is made for."""
    user = only(rendering(WITH_ALL), "KafkaUser")
    properties = settings_of(rendering(WITH_ALL), tmp_path).kafka_properties

    assert properties["sasl.username"] == user["metadata"]["name"]
    assert properties["sasl.mechanism"].lower() == user["spec"]["authentication"]["type"]


def _settings_name() -> str:
    return str(container_of(rendering(WITH_ALL))["envFrom"][0]["configMapRef"]["name"])


def _namespace(peer: Any) -> str:
    return str(peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"])


def _selector(expression: Any) -> Any:
    """The one selector inside aggregations and brackets."""
    while not hasattr(expression, "matchers"):
        expression = expression.expr
    return expression
