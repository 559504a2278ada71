#!/usr/bin/env bash
# Takes versions of ElasticJob from Maven Central, builds a worker with each, and
# runs the tests of this package. Needs Java, Maven and ZooKeeper (make servers).
#
#   run.sh DIRECTORY VERSION…
#
# MAVEN_OPTS is passed on, as for a proxy: -Dhttps.proxyHost=… -Dhttps.proxyPort=…
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bin=$1
shift
for version; do
  case $version in
    2.*) group=com.dangdang artifact=elastic-job-lite-core source=WorkerOld.java ;;
    *) group=org.apache.shardingsphere.elasticjob artifact=elasticjob-lite-core source=Worker.java ;;
  esac
  jars=$bin/elasticjob-$version
  if [ ! -e "$jars/complete" ]; then
    echo "taking ElasticJob $version from Maven Central"
    if ! command -v mvn >/dev/null || ! (cd "$here" && mvn -q -B dependency:copy-dependencies -DincludeScope=runtime \
        -Delasticjob.group=$group -Delasticjob.artifact=$artifact -Delasticjob.version="$version" \
        -DoutputDirectory="$jars" >"$bin/elasticjob-$version.log" 2>&1); then
      echo "ElasticJob $version can't be had: there is no Maven, or Maven Central can't be reached, or lacks it ($bin/elasticjob-$version.log)."
      echo "What stands in is the scripted ElasticJob of the ordinary tests: cd elasticjob && go test -run Repair ."
      exit 1
    fi
    touch "$jars/complete"
  fi
  classes=$jars/worker
  mkdir -p "$classes"
  sed -e 's/BOOTSTRAP/org.apache.shardingsphere.elasticjob.lite.api.bootstrap.impl/' -e 's/CONTEXT/org.apache.shardingsphere.elasticjob.api/' \
    "$here/$source" >"$classes/Worker.java"
  javac -proc:none -cp "$jars/*" -d "$classes" "$classes/Worker.java"
  (cd "$here" && go test -tags genuine -count=1 -timeout 15m -v . -classes "$classes:$jars/*" -version "$version" \
    ${RECORD:+-record "$RECORD"} ${RUN:+-run "$RUN"})
done
