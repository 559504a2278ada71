module github.com/elasticjob-go/elastic/bench/cron

go 1.26

require (
	github.com/adhocore/gronx v1.20.4
	github.com/elasticjob-go/elastic v0.0.0
	github.com/netresearch/go-cron v0.9.1
	github.com/reugn/go-quartz v0.15.2
	github.com/robfig/cron/v3 v3.0.1
)

replace github.com/elasticjob-go/elastic => ../..
