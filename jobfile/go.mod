module github.com/elasticjob-go/elastic/jobfile

go 1.26.0

require (
	github.com/elasticjob-go/elastic v0.1.0
	go.yaml.in/yaml/v3 v3.0.6
)

require github.com/robfig/cron/v3 v3.0.1 // indirect

replace github.com/elasticjob-go/elastic => ..
