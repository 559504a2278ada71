package main

import (
	"bytes"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic"
)

func TestEachOrderIsRemindedOfOnce(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), &out, "memory://orders-test", "", 203); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", &out)
	for _, want := range []string{`shard 0 reminded of 50 orders\n`, `shard 1 reminded of 51 orders\n`, `shard 3 reminded of 51 orders\n`, `203 orders, each reminded of once\n`} {
		if !regexp.MustCompile(want).Match(out.Bytes()) {
			t.Errorf("there is no %q", want)
		}
	}
}

func TestAReportFindsWhatIsDoctored(t *testing.T) {
	db, err := openTable(t.Context(), filepath.Join(t.TempDir(), "orders.db"), 2)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, tt := range []struct{ change, want string }{
		{`INSERT INTO reminders VALUES (1, 1, '')`, "1 reminders were sent of 2 orders"},
		{`INSERT INTO reminders VALUES (1, 1, '')`, "shard 1 sent 2 reminders of 1 orders"},
	} {
		if _, err := db.Exec(tt.change); err != nil {
			t.Fatal(err)
		}
		if err := report(new(bytes.Buffer), db, 2); err == nil || err.Error() != tt.want {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}

func TestAnOutdatedFenceIsRefused(t *testing.T) {
	db, err := openTable(t.Context(), filepath.Join(t.TempDir(), "orders.db"), 4)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	// Somebody has been here with a greater fence than the zero of this shard.
	if _, err := db.Exec(`INSERT INTO fences VALUES (0, 7)`); err != nil {
		t.Fatal(err)
	}
	late := elastic.Run{Shard: 0, Shards: 1}
	err = orders{db}.remind(t.Context(), late, []order{{id: 4}})
	if err == nil || !strings.Contains(err.Error(), "fence 0 is out of date") {
		t.Errorf("got %v", err)
	}
	if found, err := (orders{db}).unpaid(t.Context(), late); err != nil || len(found) != 4 {
		t.Errorf("%d orders wait, %v; want all 4", len(found), err)
	}
}
