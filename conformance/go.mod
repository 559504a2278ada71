module github.com/elasticjob-go/elastic/conformance

go 1.26

require (
	github.com/anishathalye/porcupine v1.3.1
	github.com/elasticjob-go/elastic v0.1.0
)

replace github.com/elasticjob-go/elastic => ..
