module github.com/elasticjob-go/elastic/store/zookeeper

go 1.26.0

require (
	github.com/elasticjob-go/elastic v0.1.0
	github.com/go-zookeeper/zk v1.0.4
)

replace github.com/elasticjob-go/elastic => ../..
