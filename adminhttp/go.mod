module github.com/elasticjob-go/elastic/adminhttp

go 1.26.0

require github.com/elasticjob-go/elastic v0.1.0

require go.yaml.in/yaml/v3 v3.0.6

require (
	github.com/danielgtaylor/huma/v2 v2.37.2
	github.com/robfig/cron/v3 v3.0.1 // indirect
)

replace github.com/elasticjob-go/elastic => ..
