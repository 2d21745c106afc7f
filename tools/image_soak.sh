#!/bin/sh
# Builds the image without a container engine, by buildah, and runs it as a pod would: not root, on a root
# file system that is read-only. Takes minutes and wants root; not part of `make test`. The base image is
# made of Debian's packages, since none is fetched from anywhere: what is proved is the Dockerfile, not its
# base, which has Python's headers as python's own images do. Where pip trusts another file of authorities
# than the system's, name it as PIP_CERT.
set -eu
cd "$(dirname "$0")/.."
suite=${SUITE:-trixie}
for each in buildah podman runc debootstrap; do
    command -v "$each" >/dev/null || { echo "image soak: there is no $each (Debian: apt-get install $each)" >&2; exit 1; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
certificates=${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}

echo "image soak: a base of Debian's packages ($suite)"
debootstrap --variant=minbase --include=python3,python3-dev,python3-venv,python3-pip,ca-certificates "$suite" "$work/base" >"$work/log" 2>&1 ||
    { tail -5 "$work/log" >&2; exit 1; }
ln -s ../../bin/python3 "$work/base/usr/local/bin/python"
rm -f "$work"/base/usr/lib/python3*/EXTERNALLY-MANAGED
cp "$certificates" "$work/base/etc/ssl/certs/ca-certificates.crt"
printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' >"$work/base/etc/pip.conf"
base=$(buildah from scratch)
buildah add --quiet "$base" "$work/base" / >/dev/null
buildah commit --quiet "$base" localhost/streamer-base >/dev/null
buildah rm "$base" >/dev/null

for target in runtime demo; do
    began=$(date +%s)
    buildah bud --isolation chroot --quiet --format docker --build-arg PYTHON_IMAGE=localhost/streamer-base \
        --target "$target" --tag "localhost/streamer-$target" . >/dev/null
    size=$(buildah images --format '{{.Size}}' "localhost/streamer-$target")
    echo "image soak: $target built in $(($(date +%s) - began)) s, $size"
done

run() {
    podman run --rm --no-healthcheck --runtime "$(command -v runc)" --network=host --read-only --cap-drop=ALL \
        --security-opt=no-new-privileges --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "$@"
}
# Compiled, by a compiler that is in no image.
run localhost/streamer-runtime --version | grep -F "(compiled)"
if run --entrypoint sh localhost/streamer-runtime -c "command -v gcc || command -v cc"; then
    echo "image soak: the runtime image has a compiler" >&2
    exit 1
fi
run --entrypoint python localhost/streamer-runtime -c 'import os; assert os.getuid() == 10001, os.getuid()'
run localhost/streamer-runtime settings >/dev/null
run localhost/streamer-demo sandbox --help >/dev/null
# The runtime image has no stand-ins: it names what is missing and ends with 2.
if run localhost/streamer-runtime sandbox 2>"$work/said"; then
    echo "image soak: the stand-ins are in the runtime image" >&2
    exit 1
fi
grep -q "are not installed" "$work/said"

# Alive: the image's own HEALTHCHECK against a server of its own that answers, and against none.
check=$(buildah inspect --type image --format '{{index .Docker.Config.Healthcheck.Test 3}}' localhost/streamer-runtime)
test -n "$check"
port=${STREAMER_SOAK_PORT:-18099}
python3 -c "
import http.server, sys
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == '/livez' else 404); self.end_headers()
    def log_message(self, *a): pass
http.server.HTTPServer(('127.0.0.1', $port), H).serve_forever()" &
server=$!
trap 'kill $server 2>/dev/null; rm -rf "$work"' EXIT
sleep 1
run --env STREAMER_HTTP_PORT="$port" --entrypoint python localhost/streamer-runtime -c "$check"
if run --env STREAMER_HTTP_PORT=1 --entrypoint python localhost/streamer-runtime -c "$check" 2>/dev/null; then
    echo "image soak: the health check finds life where there is none" >&2
    exit 1
fi
echo "image soak: it runs as 10001 on a read-only root, and its health check tells alive from not"
