# Developer commands. Run `make help`.
#
# Everything that the tests need is built or installed here: Go modules, and on
# Debian the packages named below.

SHELL     := bash
BIN       := $(CURDIR)/.bin
STAGES    := $(BIN)/stage-runner
# The modules that a change checks. Each stays on one line: scripts read it.
MODULES  := . jobfile adminhttp history/sqlhistory observe/otel observe/prom store/etcd store/consul store/zookeeper store/all examples e2e conformance internal/testservers/containers internal/testharness elasticjob cmd/elasticctl
# The modules whose unit tests run with the race detector.
TESTED   := . jobfile adminhttp history/sqlhistory observe/otel observe/prom conformance store/etcd store/consul store/all store/zookeeper examples elasticjob cmd/elasticctl
# Modules outside the workspace.
APART     := bench/cron bench/peers bench/scale
ALL       := $(MODULES:%=./%/...)
PLATFORMS := linux/amd64 linux/arm64 linux/386 linux/arm darwin/amd64 \
	darwin/arm64 windows/amd64 windows/arm64 freebsd/amd64 freebsd/arm64
ZOOKEEPER := /usr/share/java/zookeeper.jar
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@latest
ACTIONLINT  := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
export CGO_ENABLED ?= 1

.PHONY: help demo test check full unit race e2e sim sim-full mutants storms \
	scenarios chaos chaos-all chaos-rows bench-peers conformance containers \
	prometheus databases history \
	servers etcd images elasticjob model lint cross cross-short release release-check \
	vuln fuzz fuzz-short bench bench-cron bench-scale clean

help: ## show this
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | \
		awk -F ':.*## ' '{ printf "  make %-13s %s\n", $$1, $$2 }'

demo: ## three instances, a crash and a drain; 30 seconds, needs nothing
	@go run ./examples/quickstart

test: RUNTIME := $(or $(RUNTIME),process)
test: $(STAGES) ## everything that must hold; FROM=sim starts at that stage
	@RUNTIME=$(RUNTIME) $(STAGES) $(if $(FROM),-from $(FROM)) \
		-not "cross: make cross builds elasticctl for the other platforms" \
		-not "containers: make full" \
		-not "mutants: make full" \
		-not "model: make full" \
		-not "storms: make full" \
		-not "chaos-all: make full" \
		-not "sim-full: make full" \
		-not "fuzz: make fuzz takes minutes" \
		-not "elasticjob: make full; it needs Maven Central" \
		-not "chaos-rows: make chaos-rows takes minutes" \
		-not "history: make full; it fills databases" \
		-not "bench-peers: make bench-peers takes minutes" \
		lint cross-short release-check race sim conformance e2e fuzz-short

check: $(STAGES) ## lint and unit tests, no servers, no race detector: 3 minutes
	@$(STAGES) -not "servers, races, simulation, cross-builds: make test" \
		lint unit

full: $(STAGES) ## what takes hours; FROM=mutants starts at that stage
	@stages=(sim-full mutants model storms fuzz history chaos-all chaos-rows); not=(); \
	if docker version >/dev/null 2>&1; then stages+=(containers); \
	else not+=(-not "containers: no container engine answers"); fi; \
	if command -v java >/dev/null && command -v mvn >/dev/null; then stages+=(elasticjob); \
	else not+=(-not "elasticjob: it needs Java and Maven"); fi; \
	$(STAGES) $(if $(FROM),-from $(FROM)) "$${not[@]}" \
		-not "the stages of make test: run make test first" "$${stages[@]}"

unit: $(STAGES) ## unit tests that need no server, without the race detector
	@$(STAGES) gotest -timeout 10m ./... ./jobfile/...

race: servers databases $(STAGES) ## all unit tests, with the race detector
	@for m in $(TESTED); do \
		echo "== $$m"; \
		(cd $$m && $(STAGES) gotest -race -timeout 40m \
			-skip '^TestConformance(WithClassicWatches)?$$' ./...) || exit 1; \
	done
	@echo "== internal/integration, with all rows of its tables"; \
		$(STAGES) gotest -timeout 20m ./internal/integration

e2e: servers images $(STAGES) ## real processes on every store, killed and paused; RUNTIME=docker
	@echo "== e2e"; cd e2e && \
		ELASTIC_TEST_RUNTIME=$(RUNTIME) $(STAGES) gotest -timeout 30m -v .
	@echo "== e2e/chaos"; cd e2e && \
		$(STAGES) gotest -timeout 30m -v -skip 'Chaos/E' ./chaos ./fenced

chaos: servers ## all faults at once: STORE=etcd NODES=3 DURATION=10m SEED=7
	cd e2e && go test -timeout 24h -v \
		-run 'Chaos/mix/^$(or $(STORE),etcd)$$' ./chaos \
		-duration $(or $(DURATION),10m) -nodes $(or $(NODES),1) \
		-seed $(or $(SEED),0)

chaos-all: servers $(STAGES) ## the same on each store, one after another
	cd e2e && $(STAGES) gotest -timeout 24h -v -run 'Chaos/mix' ./chaos \
		-duration $(or $(DURATION),10m) -seed $(or $(SEED),0)

chaos-rows: servers ## the faults of docs/design/chaos.md one by one: ROW=E08 STORE=etcd
	cd e2e && go test -timeout 2h -v \
		-run 'Chaos/$(or $(ROW),E)/$(STORE)' ./chaos \
		$(if $(SEED),-seed $(SEED)) 2>&1 | \
		grep -vE '^=== (RUN|PAUSE|CONT)' ; exit $${PIPESTATUS[0]}

bench-peers: servers ## the same faults for elastic and for gocron on etcd
	cd bench/peers && GOWORK=off go build -o $(BIN)/gocron ./gocron
	cd e2e && go test -timeout 24h -v -run Comparison ./chaos \
		-peer $(BIN)/gocron -duration $(or $(DURATION),3m) \
		-seed $(or $(SEED),0)

sim: $(STAGES) ## simulated clusters of real engines: SEEDS=2000, or one SEED=7
	$(STAGES) gotest -count=1 -timeout 90m -v \
		$(if $(SEED),-run EveryInvariant) ./internal/sim \
		$(if $(SEED),-sim.seed=$(SEED),-sim.seeds=$(or $(SEEDS),2000)) | \
		grep -vE '/seeds|/worker' ; exit $${PIPESTATUS[0]}

sim-full: ## the same with 20,000 seeds
	@$(MAKE) --no-print-directory sim SEEDS=20000

mutants: ## deliberate bugs in the protocol: the simulator must catch each
	go test -count=1 -timeout 60m -v -run BrokenProtocol ./internal/sim \
		-sim.mutants=all | grep -vE '^=== ' ; exit $${PIPESTATUS[0]}

storms: ## many more storms in virtual time than make test runs; SEEDS=5000
	go test -run Storm -timeout 60m ./internal/integration \
		-storm.seeds=$(or $(SEEDS),5000)

scenarios: ## the scenario files 20 times each; REWRITE=1 writes their output
	go test -count=1 -run Scenario ./internal/scenario \
		$(if $(REWRITE),-rewrite,-times 20)

conformance: servers images $(STAGES) ## the suite for stores on every driver; RUNTIME=docker or process
	@echo "== conformance"; cd internal/testharness && \
		ELASTIC_TEST_RUNTIME=$(RUNTIME) $(STAGES) gotest -count=1 \
			-timeout 30m -v -run '^TestConformance$$' .

containers: ## conformance and e2e with servers in containers
	@$(MAKE) --no-print-directory conformance e2e RUNTIME=docker

servers: $(BIN)/etcd $(BIN)/consul $(ZOOKEEPER) ## build or install etcd, Consul and ZooKeeper

etcd: $(BIN)/etcd ## run etcd in the foreground, with its data below .bin/
	@exec $(BIN)/etcd --data-dir $(BIN)/etcd-data --log-level warn

$(STAGES): $(wildcard tools/stages/*.go)
	@mkdir -p $(BIN)
	@go build -o $@ ./tools/stages

$(BIN)/etcd: tools/etcd-server/go.mod
	@mkdir -p $(BIN)
	@echo "building etcd from its Go module, once"
	@cd tools/etcd-server && GOWORK=off CGO_ENABLED=0 \
		go build -o $(BIN)/etcd go.etcd.io/etcd/server/v3

$(BIN)/consul: tools/consul-server/go.mod
	@mkdir -p $(BIN)
	@echo "building Consul from its Go module, once: it takes minutes"
	@cd tools/consul-server && GOWORK=off CGO_ENABLED=0 \
		go build -o $(BIN)/consul github.com/hashicorp/consul

$(ZOOKEEPER):
	@command -v apt-get >/dev/null || { \
		echo "no $(ZOOKEEPER) and no apt-get; install ZooKeeper's jars there"; \
		exit 1; }
	@echo "installing ZooKeeper from Debian's package"
	@apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends zookeeper >/dev/null

history: databases $(STAGES) ## queries of history on databases with 5 million runs; ROWS=5000000
	@cd history/sqlhistory && $(STAGES) gotest -timeout 90m -v -run Queries . \
		-history.rows=$(or $(ROWS),5000000)

databases: ## install PostgreSQL and MariaDB for the tests of history and tracing
	@if command -v mariadbd >/dev/null && ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; then :; \
	elif ! command -v apt-get >/dev/null; then \
		echo "NOT INSTALLED: no apt-get; without postgres and mariadbd in the path, tests of history are skipped"; \
	else echo "installing PostgreSQL and MariaDB from Debian's packages"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
			--no-install-recommends postgresql mariadb-server >/dev/null || \
		echo "NOT INSTALLED: apt-get failed; tests of history are skipped"; fi

images: servers ## build images of these servers, for machines without a registry
	@tools/images/build.sh $(BIN)

elasticjob: servers ## the doctor on the genuine ElasticJob: VERSIONS="2.1.5 3.0.4"
	@mkdir -p $(BIN)
	@elasticjob/genuine/run.sh $(BIN) $(or $(VERSIONS),2.1.5 3.0.3 3.0.4)

prometheus: $(BIN)/etcd ## metrics, rules and alerts on a real Prometheus, from Debian's package; 8 minutes
	@command -v prometheus >/dev/null && command -v promtool >/dev/null || { \
		command -v apt-get >/dev/null || { \
			echo "no prometheus and no apt-get: install Prometheus"; exit 1; }; \
		echo "installing Prometheus from Debian's package"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends prometheus >/dev/null; }
	@ELASTIC_TEST_PROMETHEUS=1 go test -count=1 ./tools/dashboards
	@cd observe/prom && ELASTIC_TEST_PROMETHEUS=1 go test -count=1 ./...
	@cd e2e && ELASTIC_TEST_PROMETHEUS=1 go test -count=1 -timeout 20m -v \
		-run 'Alerts_' .

model: ## check the protocol's model, and that of ElasticJob, with SPIN
	@command -v spin >/dev/null || { apt-get update -qq && \
		apt-get install -y -qq --no-install-recommends spin >/dev/null; }
	@model/run.sh

lint: ## gofmt, rules for prose and code, tidy modules, workflows, vet, staticcheck
	@out=$$(gofmt -l $$(git ls-files '*.go')); \
		if [ -n "$$out" ]; then echo "gofmt -w these:"; echo "$$out"; exit 1; fi
	@echo "== tools/lint"; go run ./tools/lint
	@for m in $(MODULES) $(APART); do \
		out=$$(cd $$m && GOWORK=off go mod tidy -diff 2>&1) || \
		{ echo "$$out"; echo "run: cd $$m && GOWORK=off go mod tidy"; exit 1; }; \
	done
	@echo "== workflows"; go run $(ACTIONLINT)
	@echo "== vet"; go vet $(ALL)
	@for m in $(APART); do (cd $$m && GOWORK=off go vet ./...) || exit 1; done
	@echo "== staticcheck"; go run $(STATICCHECK) $(ALL)

cross-short: ## all modules but elasticctl for all platforms, elasticctl for four
	@for p in $(PLATFORMS); do \
		echo "== $$p"; \
		GOOS=$${p%/*} GOARCH=$${p#*/} CGO_ENABLED=0 \
			go build $(filter-out ./cmd/elasticctl/...,$(ALL)) || exit 1; \
	done
	@for p in linux/arm64 linux/386 darwin/arm64 windows/amd64; do \
		echo "== elasticctl for $$p"; \
		GOOS=$${p%/*} GOARCH=$${p#*/} CGO_ENABLED=0 \
			go build ./cmd/elasticctl/... || exit 1; \
	done
	@echo "== vet linux/386"; GOARCH=386 CGO_ENABLED=0 go vet ./...

cross: ## build all modules for all platforms, and the core's tests for 32 bits
	@for p in $(PLATFORMS); do \
		echo "== $$p"; \
		GOOS=$${p%/*} GOARCH=$${p#*/} CGO_ENABLED=0 go build $(ALL) || exit 1; \
	done
	@echo "== vet linux/386"; GOARCH=386 CGO_ENABLED=0 go vet ./...

release: ## commit a release's go.mod files and print its tags: VERSION=v0.2.0
	@go run ./tools/release $(VERSION)

release-check: ## a release in a temporary clone, built without replace lines
	@go run ./tools/release -dry v0.99.0

vuln: ## known vulnerabilities; needs the vulnerability database
	@for m in $(MODULES); do \
		(cd $$m && go run $(GOVULNCHECK) ./...) || exit 1; \
	done

# The fuzz targets: the directory of a module, a package in it, and the target.
FUZZED := \
	.:cron:FuzzParse \
	.:cron:FuzzUnixGuardAgreesWithRobfig \
	.:cron:FuzzCalendar \
	.:sharding:FuzzAssign \
	.:failover:FuzzDecode \
	.:failover:FuzzEncode \
	.:internal/scenario:FuzzParse \
	jobfile:.:FuzzRead \
	.:jobs/httpcall:FuzzTemplate \
	.:internal/layout:FuzzDecode \
	.:internal/layout:FuzzDecodeSignal \
	.:internal/integration:FuzzStored \
	.:internal/checker:FuzzRead \
	.:store:FuzzParseURL \
	.:store/file:FuzzReplay \
	.:store/file:FuzzPayload \
	store/etcd:.:FuzzEveryKeyHasItsOwnNameInItsOwnNamespace \
	store/zookeeper:.:FuzzEveryKeyHasItsOwnPath \
	store/zookeeper:.:FuzzReadFrame \
	elasticjob:.:FuzzReadConfig \
	elasticjob:.:FuzzImport \
	elasticjob:.:FuzzCheck \
	elasticjob:tracing:FuzzRow \
	store/consul:.:FuzzEveryKeyHasItsOwnName \
	.:store/internal/keyenc:FuzzWhatComesBackIsWhatWasEscaped \
	.:internal/layout:FuzzDocuments \
	.:internal/layout:FuzzDecodeJobSet \
	.:history:FuzzSpool_Parse

fuzz: ## all parsers and all values that are read from a store; FUZZTIME=10s
	@for t in $(FUZZED); do \
		IFS=: read -r module package target <<< "$$t"; echo "== $$t"; \
		(cd $$module && go test -run '^$$' -fuzz "^$$target\$$" \
			-fuzztime $(or $(FUZZTIME),10s) ./$$package) || exit 1; \
	done

fuzz-short: ## the same for a second each
	@$(MAKE) --no-print-directory fuzz FUZZTIME=1s | \
		grep -v '^fuzz:' ; exit $${PIPESTATUS[0]}

bench: ## what a run, a commit, a schedule and an assignment cost
	go test -run '^$$' -bench . -benchmem ./...

bench-cron: ## compare schedules with those of other libraries
	cd bench/cron && GOWORK=off go run .

bench-scale: servers ## fires, idle jobs and fleets against peers and raw clients; ROUNDS=3
	cd bench/scale && GOWORK=off go run . -rounds $(or $(ROUNDS),3) \
		$(if $(RAW),-raw $(abspath $(RAW)))
	@for m in etcd zookeeper consul; do \
		echo; echo "A commit through the driver of $$m, and by the raw client"; \
		(cd store/$$m && go test -run '^$$' -bench Commit .) | grep -E '^Benchmark|FAIL|panic'; \
	done

clean: ## remove what was built
	rm -rf $(BIN)
