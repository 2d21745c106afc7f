"""Kubernetes' Pod Security Standards: what the level `restricted` forbids, of a pod's specification."""

from collections.abc import Callable
from typing import Any

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral"} | {
    "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip
PROFILES = {"RuntimeDefault", "Localhost"}
SYSCTLS = {
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range", "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_syncookies",
}  # fmt: skip

Part = dict[str, Any]

OF_PODS: dict[str, Callable[[Part], Any]] = {
    "shares a namespace of the host": lambda pod: {"hostNetwork", "hostPID", "hostIPC"} & set(_true(pod)),
    "mounts a volume of a kind that is not allowed": lambda pod: (
        {kind for volume in pod.get("volumes", []) for kind in volume} - {"name"} - VOLUMES
    ),
    "sets a sysctl that is not safe": lambda pod: (
        {each["name"] for each in pod.get("securityContext", {}).get("sysctls", [])} - SYSCTLS
    ),
}
# Of a container's own security context ...
OF_CONTAINERS: dict[str, Callable[[Part], Any]] = {
    "is privileged": lambda own: own.get("privileged"),
    "may gain privileges": lambda own: own.get("allowPrivilegeEscalation") is not False,
    "keeps capabilities": lambda own: "ALL" not in own.get("capabilities", {}).get("drop", []),
    "adds capabilities": lambda own: set(own.get("capabilities", {}).get("add", [])) - {"NET_BIND_SERVICE"},
    "unmasks /proc": lambda own: own.get("procMount", "Default") != "Default",
}
# ... and of what it takes over from the pod's where it says nothing itself.
OF_BOTH: dict[str, Callable[[Part], Any]] = {
    "may run as root": lambda both: both.get("runAsNonRoot") is not True,
    "runs as root": lambda both: both.get("runAsUser") == 0,
    "has no seccomp profile": lambda both: both.get("seccompProfile", {}).get("type") not in PROFILES,
    "has no AppArmor profile": lambda both: (
        both.get("appArmorProfile", {}).get("type", "RuntimeDefault") not in PROFILES
    ),
    "sets SELinux' user or role": lambda both: {"user", "role"} & set(both.get("seLinuxOptions", {})),
    "is a process of the host": lambda both: both.get("windowsOptions", {}).get("hostProcess"),
}


def violations(pod: Part) -> list[str]:
    """Every rule of the standard that the pod breaks; those of the level `baseline` are among them."""
    found = [f"pod {rule}" for rule, breaks in OF_PODS.items() if breaks(pod)]
    shared = pod.get("securityContext", {})
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for container in pod.get(field, []):
            own = container.get("securityContext", {})
            broken = [rule for rule, breaks in OF_CONTAINERS.items() if breaks(own)]
            broken += [rule for rule, breaks in OF_BOTH.items() if breaks({**shared, **own})]
            if any(port.get("hostPort") for port in container.get("ports", [])):
                broken.append("takes a port of the host")
            found += [f"container {container['name']} {rule}" for rule in broken]
    return found


def _true(part: Part) -> list[str]:
    return [name for name, value in part.items() if value is True]
