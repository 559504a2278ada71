package containers

import "testing"

// Variables choose the versions of official images, with defaults.
func TestOfficialImages_TakeTagsFromVariables(t *testing.T) {
	given := map[string]string{"ELASTIC_TEST_ETCD_TAG": "v3.4.37", "ELASTIC_TEST_ZOOKEEPER_TAG": "3.6.4"}
	got := officialImages(func(name string) string { return given[name] })
	for store, want := range map[string]string{
		"consul":    "hashicorp/consul:1.22",
		"etcd":      "gcr.io/etcd-development/etcd:v3.4.37",
		"zookeeper": "zookeeper:3.6.4",
	} {
		if got[store].ref != want {
			t.Errorf("%s: got image %s, want %s", store, got[store].ref, want)
		}
	}
	if cp := got["zookeeper"].program[2]; cp != "/apache-zookeeper-3.6.4-bin/lib/*" {
		t.Errorf("zookeeper: got class path %s", cp)
	}
}
