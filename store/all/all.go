// Package all links in every store that there is a driver for, so that the URL
// alone decides:
//
//	import _ "github.com/elasticjob-go/elastic/store/all"
//
// It is a module of its own and brings every client library with it. A program
// that knows its store imports that one.
package all

import (
	_ "github.com/elasticjob-go/elastic/store/consul"    // consul://
	_ "github.com/elasticjob-go/elastic/store/etcd"      // etcd://
	_ "github.com/elasticjob-go/elastic/store/file"      // file://
	_ "github.com/elasticjob-go/elastic/store/memory"    // memory://
	_ "github.com/elasticjob-go/elastic/store/zookeeper" // zookeeper://
)
