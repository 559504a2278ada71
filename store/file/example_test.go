package file_test

import (
	"context"
	"fmt"
	"os"

	"github.com/elasticjob-go/elastic/store"
	_ "github.com/elasticjob-go/elastic/store/file"
)

// What was written is there when the program starts again; no server is needed.
func Example() {
	dir, err := os.MkdirTemp("", "elastic-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	for _, op := range []store.Op{store.Create("jobs/report", []byte("daily")), store.Set("jobs/report", []byte("hourly"))} {
		s, err := store.Open(ctx, "file://"+dir+"/jobs") // a program that starts
		if err != nil {
			fmt.Println(err)
			return
		}
		_, err = s.Commit(ctx, store.Txn{Do: []store.Op{op}})
		entry, _ := s.Get(ctx, "jobs/report")
		fmt.Println(string(entry.Value), err)
		s.Close(ctx)
	}
	// Output:
	// daily <nil>
	// hourly <nil>
}
