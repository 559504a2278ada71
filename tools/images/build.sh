#!/usr/bin/env bash
# Builds the images of the servers that tests start in containers, for machines that reach no registry: etcd and Consul
# are their static binaries and nothing else, ZooKeeper is this machine's Java runtime and the jars of Debian's package.
# An image that was built of the same files is not built again. Usage: build.sh directory-of-binaries
set -euo pipefail
bin=$1
jars=${ELASTIC_ZOOKEEPER_JARS:-/usr/share/java}
docker=${DOCKER:-docker}

if ! "$docker" version >/dev/null 2>&1; then
	echo "no container engine answers: no images"
	exit 0
fi

# need name digest: whether the image is to be built of what has this digest.
need() { [ "$("$docker" image inspect -f '{{index .Config.Labels "elastic.test.of"}}' "elastic-test/$1" 2>/dev/null)" != "$2" ]; }

# import name digest: makes an image of a directory.
import() {
	tar -C "$root" --numeric-owner --owner=0 --group=0 -c . |
		"$docker" import --change "LABEL elastic.test.of=$2" --change 'CMD ["/none"]' - "elastic-test/$1" >/dev/null
	echo "built the image elastic-test/$1"
}

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

for name in etcd consul; do
	[ -x "$bin/$name" ] || continue
	of=$(sha256sum <"$bin/$name" | cut -c1-16)
	need "$name" "$of" || continue
	rm -rf "${root:?}"/*
	mkdir -m 1777 "$root/tmp"
	cp "$bin/$name" "$root/$name"
	import "$name" "$of"
done

java=$(dirname "$(dirname "$(readlink -f "$(command -v java)")")")
wanted=("$jars"/zookeeper.jar "$jars"/zookeeper-jute.jar "$jars"/slf4j-api.jar "$jars"/slf4j-simple.jar "$jars"/netty-*.jar "$jars"/metrics-core.jar "$jars"/snappy-java.jar)
of=$(cat "$java/release" "${wanted[@]}" "$0" | sha256sum | cut -c1-16)
if need zookeeper "$of"; then
	rm -rf "${root:?}"/*
	mkdir -m 1777 "$root/tmp"
	mkdir -p "$root/opt/java" "$root/opt/zookeeper"
	cp "${wanted[@]}" "$root/opt/zookeeper"
	# Links into /etc are followed, and what links to nothing (documentation, sources) or is for compilers is left out.
	tar -C "$java" -h --ignore-failed-read --exclude=./docs --exclude=./legal --exclude=./man --exclude=./include --exclude=./jmods \
		--exclude='*.zip' --exclude=ct.sym -c . 2>/dev/null | tar -C "$root/opt/java" -x || true
	# The libraries of the system that Java is linked with, at the paths at which it looks for them.
	find "$java" -name '*.so' -o -path '*/bin/java' | xargs ldd 2>/dev/null | grep -oE '/(lib|usr/lib)[^ )]*' | grep -v "^$java" | sort -u |
		grep -vE 'lib(X|asound|freetype|harfbuzz|glib|png|jpeg|lcms|cairo|pcsclite|graphite|brotli)' |
		while read -r lib; do install -D -m 755 "$(readlink -f "$lib")" "$root$lib"; done
	mkdir -p "$root/etc"
	echo 'hosts: files dns' >"$root/etc/nsswitch.conf" # or names of other containers are not asked for
	for lib in libnss_dns.so.2 libnss_files.so.2 libresolv.so.2; do
		for dir in /lib/*-linux-gnu*; do [ ! -e "$dir/$lib" ] || install -D -m 755 "$(readlink -f "$dir/$lib")" "$root$dir/$lib"; done
	done
	import zookeeper "$of"
fi
