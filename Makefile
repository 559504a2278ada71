# What one does with this repository. Everything that tests need is built or installed here: Go modules, and on Debian the
# packages named below.

SHELL    := bash
BIN      := $(CURDIR)/.bin
STAGES   := $(BIN)/stage-runner
MODULES  := . jobfile store/etcd store/consul store/zookeeper store/all examples e2e conformance/servers/containers conformance/matrix elasticjob cmd/elasticctl
TESTED   := . jobfile store/etcd store/consul store/all store/zookeeper examples elasticjob cmd/elasticctl
ZOOKEEPER := /usr/share/java/zookeeper.jar
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@latest
export CGO_ENABLED ?= 1

.PHONY: elasticjob help demo test check unit race e2e sim mutants storms scenarios chaos chaos-rows bench-peers conformance servers images model lint vuln fuzz fuzz-short bench bench-cron clean

help: ## show this
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-12s %s\n", $$1, $$2 }'

demo: ## three instances in one process: one crashes in the middle of a run, one drains; half a minute, nothing to install
	@go run ./examples/quickstart

test: RUNTIME := $(or $(RUNTIME),process)
test: $(STAGES) ## everything that must hold, in stages that can run alone (lint race sim conformance e2e fuzz-short); FROM=sim starts there
	@RUNTIME=$(RUNTIME) $(STAGES) $(if $(FROM),-from $(FROM)) \
		-not "containers: make conformance RUNTIME=docker and make e2e RUNTIME=docker need a container engine and twelve minutes" \
		-not "model: make model takes minutes" \
		-not "storms: make storms takes minutes" \
		-not "fuzz: make fuzz takes minutes" \
		-not "elasticjob: make elasticjob takes five minutes and needs Maven Central" \
		-not "mutants: make mutants takes a quarter of an hour" \
		-not "chaos-rows: make chaos-rows takes minutes" \
		-not "chaos: make chaos takes ten minutes for each store" \
		-not "bench-peers: make bench-peers takes minutes" \
		lint race sim conformance e2e fuzz-short

check: $(STAGES) ## for the loop of a change: lint and unit tests without servers and without the race detector
	@$(STAGES) -not "servers, races, simulation: make test" lint unit

unit: $(STAGES) ## unit tests that need no server, without the race detector
	@$(STAGES) gotest -timeout 10m ./...

race: servers $(STAGES) ## all unit tests, with the race detector; the suite for drivers is the target conformance
	@for m in $(TESTED); do echo "== $$m"; (cd $$m && $(STAGES) gotest -race -timeout 40m -skip '^TestConformance(WithClassicWatches)?$$' ./...) || exit 1; done
	@echo "== internal/integration, with all rows of its tables"; $(STAGES) gotest -timeout 20m ./internal/integration

e2e: servers images $(STAGES) ## real processes on every store: kill -9, SIGSTOP, SIGTERM; a checker over everything they did; RUNTIME as in conformance
	@echo "== e2e"; cd e2e && ELASTIC_TEST_RUNTIME=$(RUNTIME) $(STAGES) gotest -timeout 30m -v .
	@echo "== e2e/chaos"; cd e2e && $(STAGES) gotest -timeout 30m -v -skip 'Chaos/E' ./chaos ./fenced

chaos: servers ## everything at once happens to 5 processes and a real store: STORE=etcd NODES=3 DURATION=10m SEED=7; docs/chaos.md
	cd e2e && go test -timeout 24h -v -run 'Chaos/mix/^$(or $(STORE),etcd)$$' ./chaos -duration $(or $(DURATION),10m) -nodes $(or $(NODES),1) -seed $(or $(SEED),0)

chaos-rows: servers ## the faults of docs/chaos.md one by one: ROW=E08 STORE=etcd; all without them
	cd e2e && go test -timeout 2h -v -run 'Chaos/$(or $(ROW),E)/$(STORE)' ./chaos $(if $(SEED),-seed $(SEED)) 2>&1 | grep -vE '^=== (RUN|PAUSE|CONT)' ; exit $${PIPESTATUS[0]}

bench-peers: servers ## the same faults for elastic and for gocron on etcd: what is lost, and what is run twice; DURATION=3m SEED=7
	cd bench/peers && GOWORK=off go build -o $(BIN)/gocron ./gocron
	cd e2e && go test -timeout 24h -v -run Comparison ./chaos -peer $(BIN)/gocron -duration $(or $(DURATION),3m) -seed $(or $(SEED),0)

sim: $(STAGES) ## clusters of real engines, simulated exactly: SEEDS=2000 of them, some twice, and some with a rule of the protocol broken; SEED=7 tells one
	$(STAGES) gotest -count=1 -timeout 90m -v $(if $(SEED),-run EveryInvariant) ./internal/sim $(if $(SEED),-sim.seed=$(SEED),-sim.seeds=$(or $(SEEDS),2000)) | grep -vE '/seeds|/worker' ; exit $${PIPESTATUS[0]}

mutants: ## every way to break the protocol that is known, and how many seeds it takes to catch it
	go test -count=1 -timeout 60m -v -run BrokenProtocol ./internal/sim -sim.mutants=all | grep -vE '^=== ' ; exit $${PIPESTATUS[0]}

storms: ## many more storms in virtual time than make test runs; SEEDS=5000
	go test -run Storm -timeout 60m ./internal/integration -storm.seeds=$(or $(SEEDS),5000)

scenarios: ## the story that this began with and the 44 hazards of ElasticJob, each told from a file, 20 times; REWRITE=1 writes them as they go
	go test -count=1 -run Scenario ./internal/scenario $(if $(REWRITE),-rewrite,-times 20)

conformance: servers images $(STAGES) ## the public suite for stores on every driver, as a table; servers in containers where an engine answers, else processes: RUNTIME=docker, RUNTIME=process
	@echo "== conformance"; cd conformance/matrix && ELASTIC_TEST_RUNTIME=$(RUNTIME) $(STAGES) gotest -count=1 -timeout 30m -v -run '^TestConformance$$' .

servers: $(BIN)/etcd $(BIN)/consul $(ZOOKEEPER) ## build or install the servers that tests need: etcd and Consul into .bin/, ZooKeeper from Debian's package

$(STAGES): $(wildcard tools/stages/*.go)
	@mkdir -p $(BIN)
	@go build -o $@ ./tools/stages

$(BIN)/etcd: tools/etcd-server/go.mod
	@mkdir -p $(BIN)
	@echo "building etcd from its Go module, once"
	@cd tools/etcd-server && GOWORK=off CGO_ENABLED=0 go build -o $(BIN)/etcd go.etcd.io/etcd/server/v3

$(BIN)/consul: tools/consul-server/go.mod
	@mkdir -p $(BIN)
	@echo "building consul from its Go module, once: some minutes"
	@cd tools/consul-server && GOWORK=off CGO_ENABLED=0 go build -o $(BIN)/consul github.com/hashicorp/consul

$(ZOOKEEPER):
	@command -v apt-get >/dev/null || { echo "no $(ZOOKEEPER), and no apt-get to install it with: install ZooKeeper's jars there"; exit 1; }
	@echo "installing ZooKeeper from Debian's package"
	@apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends zookeeper >/dev/null

images: servers ## build the images of the servers that tests start in containers where no registry can be reached, from what make servers built
	@tools/images/build.sh $(BIN)

elasticjob: servers ## the doctor on the genuine ElasticJob from Maven Central, killed at the worst moments: VERSIONS="3.0.3 3.0.4"; needs Java and Maven
	@mkdir -p $(BIN)
	@elasticjob/genuine/run.sh $(BIN) $(or $(VERSIONS),3.0.3 3.0.4)

model: ## the protocol as a model, checked exhaustively by SPIN; and ElasticJob's, in which it finds the blocked shard
	@command -v spin >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends spin >/dev/null; }
	@model/run.sh

lint: ## gofmt, go vet, staticcheck
	@out=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "gofmt -w these:"; echo "$$out"; exit 1; fi
	@for m in $(MODULES); do echo "== vet, staticcheck $$m"; (cd $$m && go vet ./... && go run $(STATICCHECK) ./...) || exit 1; done
	@for m in bench/cron bench/peers; do echo "== vet $$m"; (cd $$m && GOWORK=off go vet ./...) || exit 1; done

vuln: ## known vulnerabilities in what is linked in; needs the vulnerability database
	@for m in $(MODULES); do (cd $$m && go run $(GOVULNCHECK) ./...) || exit 1; done

# What is fuzzed: the directory of a module, one of a package in it, a target.
FUZZED := .:cron:FuzzParse .:cron:FuzzUnixGuardAgreesWithRobfig .:cron:FuzzCalendar .:sharding:FuzzAssign .:failover:FuzzDecode .:internal/scenario:FuzzParse jobfile:.:FuzzRead .:jobs/httpcall:FuzzTemplate \
	.:internal/layout:FuzzDecode .:internal/layout:FuzzDecodeSignal .:internal/integration:FuzzStored .:internal/checker:FuzzRead .:store:FuzzParseURL .:store/file:FuzzReplay .:store/file:FuzzPayload \
	store/etcd:.:FuzzEveryKeyHasItsOwnNameInItsOwnNamespace store/zookeeper:.:FuzzEveryKeyHasItsOwnPath store/zookeeper:.:FuzzReadFrame elasticjob:.:FuzzReadConfig elasticjob:.:FuzzImport store/consul:.:FuzzEveryKeyHasItsOwnName .:store/internal/escape:FuzzWhatComesBackIsWhatWasEscaped

fuzz: ## all parsers, and all values that are read from a store, FUZZTIME=10s each
	@for t in $(FUZZED); do IFS=: read -r module package target <<< "$$t"; echo "== $$t"; \
		(cd $$module && go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(or $(FUZZTIME),10s) ./$$package) || exit 1; done

fuzz-short: ## the same for a second each
	@$(MAKE) --no-print-directory fuzz FUZZTIME=1s | grep -v '^fuzz:' ; exit $${PIPESTATUS[0]}

bench: ## what a run, a commit, a schedule and an assignment cost
	go test -run '^$$' -bench . -benchmem ./...

bench-cron: ## schedules beside those of other libraries: agreement and speed
	cd bench/cron && GOWORK=off go run .

clean: ## remove what was built
	rm -rf $(BIN)
