module github.com/elasticjob-go/elastic/cmd/elasticctl

go 1.26.0

require (
	github.com/elasticjob-go/elastic v0.1.0
	github.com/elasticjob-go/elastic/elasticjob v0.1.0
	github.com/elasticjob-go/elastic/jobfile v0.1.0
	github.com/go-zookeeper/zk v1.0.4
	github.com/spf13/cobra v1.10.2
)

require (
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/robfig/cron/v3 v3.0.1 // indirect
	github.com/spf13/pflag v1.0.9 // indirect
	go.yaml.in/yaml/v3 v3.0.6 // indirect
)

replace (
	github.com/elasticjob-go/elastic => ../..
	github.com/elasticjob-go/elastic/elasticjob => ../../elasticjob
	github.com/elasticjob-go/elastic/jobfile => ../../jobfile
)
