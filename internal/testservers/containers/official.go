package containers

import "cmp"

// officialImages returns the official image of each store. The variables
// ELASTIC_TEST_CONSUL_TAG, ELASTIC_TEST_ETCD_TAG and ELASTIC_TEST_ZOOKEEPER_TAG
// choose other versions. ZooKeeper's must name all three numbers, because the
// directory in its image does.
func officialImages(getenv func(string) string) map[string]image {
	consul := cmp.Or(getenv("ELASTIC_TEST_CONSUL_TAG"), "1.22")
	etcd := cmp.Or(getenv("ELASTIC_TEST_ETCD_TAG"), "v3.6.5")
	zookeeper := cmp.Or(getenv("ELASTIC_TEST_ZOOKEEPER_TAG"), "3.9.3")
	return map[string]image{
		"consul": {"hashicorp/consul:" + consul, []string{"/bin/consul"}},
		"etcd":   {"gcr.io/etcd-development/etcd:" + etcd, []string{"/usr/local/bin/etcd"}},
		"zookeeper": {
			"zookeeper:" + zookeeper, []string{"java", "-cp", "/apache-zookeeper-" + zookeeper + "-bin/lib/*"},
		},
	}
}
