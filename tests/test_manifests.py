"""The manifests against Kubernetes' own schemas, and against each other; the Dockerfile against the tree."""

import re
from fnmatch import fnmatch
from typing import Any

import kubernetes_validate
import pytest
import yaml

from jobs import JOBS
from jobs.trades_sync import Exit
from settings import load
from tests.processes import ROOT

K8S = ROOT / "k8s"
FILES = sorted(K8S.rglob("*.yaml"))


def documents() -> dict[str, Any]:
    """Every manifest by "Kind name"."""
    found: dict[str, Any] = {}
    for file in FILES:
        for document in yaml.safe_load_all(file.read_text(encoding="utf-8")):
            found[f"{file.parent.name}: {document['kind']} {document['metadata']['name']}"] = document
    return found


DOCUMENTS = documents()


def pods() -> dict[str, Any]:
    """The pod of each manifest that makes some."""
    found = {}
    for name, document in DOCUMENTS.items():
        spec = document.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            found[name] = spec["template"]["spec"]
    return found


PODS = pods()


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("version", ["1.31", "1.37"])
def test_kubernetes_takes_it(name: str, version: str) -> None:
    kubernetes_validate.validate(DOCUMENTS[name], version, strict=True)


def test_the_schemas_would_notice() -> None:
    wrong = {**DOCUMENTS["alertbook: Service alertbook"], "spec": {"portz": []}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.37", strict=True)


def test_everything_of_the_contract_is_there() -> None:
    names = {name.partition(": ")[2] for name in DOCUMENTS}
    assert names >= {
        "Namespace haiphen",
        "ConfigMap trades-sync-config",
        "Secret trades-sync-secret",
        "ServiceAccount trades-sync-sa",
        "CronJob trades-sync-premarket",
        "CronJob trades-sync-midday",
        "CronJob trades-sync-postmarket",
        "Deployment alertbook",
        "Service alertbook",
        "HorizontalPodAutoscaler alertbook",
        "PodDisruptionBudget alertbook",
        "Job alertbook-migrate",
        "CronJob alertbook-nightly-capital",
        "CronJob alertbook-deliver-notices",
    }
    for folder in ("trades-sync", "alertbook"):
        first = sorted((K8S / folder).iterdir())[0]
        assert yaml.safe_load(first.read_text())["kind"] == "Namespace"  # kubectl applies a folder by name
    spaces = {document["metadata"].get("namespace", "haiphen") for document in DOCUMENTS.values()}
    assert spaces == {"haiphen"}


@pytest.mark.parametrize(
    ("name", "schedule"), [("premarket", "0 9 * * 1-5"), ("midday", "30 12 * * 1-5"), ("postmarket", "30 16 * * 1-5")]
)
def test_the_schedule_is_new_yorks(name: str, schedule: str) -> None:
    spec = DOCUMENTS[f"trades-sync: CronJob trades-sync-{name}"]["spec"]
    assert (spec["schedule"], spec["timeZone"]) == (schedule, "America/New_York")
    assert spec["concurrencyPolicy"] == "Forbid"
    job = spec["jobTemplate"]["spec"]
    assert (job["backoffLimit"], job["activeDeadlineSeconds"]) == (2, 300)
    (rule,) = job["podFailurePolicy"]["rules"]
    assert rule["action"] == "FailJob"
    assert rule["onExitCodes"]["values"] == [Exit.REFUSED, Exit.CONFIGURATION, Exit.NOTHING]
    (container,) = job["template"]["spec"]["containers"]
    assert container["command"] == ["python", "-m", "jobs", "run", "trades-sync"]
    assert rule["onExitCodes"]["containerName"] == container["name"]


@pytest.mark.parametrize(("name", "schedule"), [("nightly-capital", "15 0 * * *"), ("deliver-notices", "*/5 * * * *")])
def test_the_jobs_of_the_server_are_started_by_their_names(name: str, schedule: str) -> None:
    spec = DOCUMENTS[f"alertbook: CronJob alertbook-{name}"]["spec"]
    # a nightly job is about the New York day that is over, also in the nights of a clock change
    assert (spec["schedule"], spec["timeZone"]) == (schedule, "America/New_York")
    assert spec["concurrencyPolicy"] == "Forbid"
    job = spec["jobTemplate"]["spec"]
    (container,) = job["template"]["spec"]["containers"]
    assert container["command"] == ["python", "-m", "jobs", "run", name]
    assert name in {job.name for job in JOBS}
    (rule,) = job["podFailurePolicy"]["rules"]
    assert (rule["onExitCodes"]["containerName"], rule["onExitCodes"]["values"]) == (container["name"], [2])
    images = {one["image"] for pod in PODS.values() for one in pod["containers"]}
    assert images == {container["image"]}


@pytest.mark.parametrize("name", PODS)
def test_no_pod_may_do_more_than_it_must(name: str) -> None:
    pod = PODS[name]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    for container in pod["containers"]:
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("name", PODS)
def test_what_a_pod_refers_to_exists(name: str) -> None:
    folder, pod = name.partition(": ")[0], PODS[name]
    volumes = {volume["name"] for volume in pod["volumes"]}
    assert f"{folder}: ServiceAccount {pod['serviceAccountName']}" in DOCUMENTS
    for container in pod["containers"]:
        for source in container["envFrom"]:
            kind = "ConfigMap" if "configMapRef" in source else "Secret"
            (reference,) = source.values()
            assert f"{folder}: {kind} {reference['name']}" in DOCUMENTS
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes


def test_services_and_budgets_select_the_pods() -> None:
    template = DOCUMENTS["alertbook: Deployment alertbook"]["spec"]["template"]
    labels = template["metadata"]["labels"]
    assert DOCUMENTS["alertbook: Service alertbook"]["spec"]["selector"].items() <= labels.items()
    assert DOCUMENTS["alertbook: PodDisruptionBudget alertbook"]["spec"]["selector"]["matchLabels"] == labels
    (container,) = template["spec"]["containers"]
    config = DOCUMENTS["alertbook: ConfigMap alertbook-config"]["data"]
    assert container["ports"][0]["containerPort"] == int(config["PORT"])
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["path"] in ("/healthz", "/readyz")


def test_the_settings_of_the_config_maps_are_read() -> None:
    config = DOCUMENTS["alertbook: ConfigMap alertbook-config"]["data"]
    settings = load({**config, "DATABASE_URL": "postgresql://127.0.0.1/none"})
    assert (settings.host, settings.port) == ("0.0.0.0", 8080)
    sync = DOCUMENTS["trades-sync: ConfigMap trades-sync-config"]["data"]
    settings = load({**sync, "PORT": "8080"})
    assert settings.alertbook_url == "http://alertbook.haiphen.svc.cluster.local"
    source = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "settings").glob("*.py"))
    for document in DOCUMENTS.values():
        for name in {**document.get("data", {}), **document.get("stringData", {})}:
            assert f'"{name}"' in source, name  # a setting that nobody reads is a misspelt one


def test_no_secret_is_filled() -> None:
    for name, document in DOCUMENTS.items():
        if document["kind"] == "Secret":
            assert not any(document["stringData"].values()), name


def test_the_dockerfile_builds_from_what_is_here() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    steps = re.findall(r"^([A-Z]+) (.+)$", text.replace("\\\n", " "), re.MULTILINE)
    assert [argument for step, argument in steps if step == "COPY"] == ["requirements.txt ./", ". ./"]
    assert [argument for step, argument in steps if step == "USER"] == ["10001:10001"]
    assert not re.search(r"curl|wget|git clone|apt-get|https?:", text)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    needed = ["web_server.py", "deploy.py", "gunicorn.conf.py", "errors.py", "requirements.txt"]
    needed += ["database", "handlers", "jobs", "settings", "state", "test_payloads"]
    assert not [name for name in needed if any(fnmatch(name, pattern) for pattern in ignored)]
    for name in needed:
        assert (ROOT / name).exists()
