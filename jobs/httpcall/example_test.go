package httpcall_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/jobs/httpcall"
)

// A service gets the number of the shard that it works on.
func ExampleNew() {
	service := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.URL, r.Header.Get("Idempotency-Key"))
	}))
	defer service.Close()

	handler, err := httpcall.New(httpcall.Request{
		Method:  "POST",
		URL:     service.URL + "/report/{shard}?of={total}&region={parameter}",
		Headers: map[string]string{"Idempotency-Key": "{key}", "Authorization": "Bearer secret"},
		Allow:   httpcall.Loopback(), // and else httpcall.Private(), or a prefix of one's own
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	sh := elastic.Run{
		Job:       "report",
		Shard:     1,
		Shards:    3,
		Parameter: "north & south",
		Trigger:   7,
	}
	fmt.Println(handler.Handle(context.Background(), sh))
	// Output:
	// POST /report/1?of=3&region=north+%26+south report/1/trigger-7
	// <nil>
}

// An unknown field is reported before anything runs.
func ExampleNew_unknownField() {
	_, err := httpcall.New(httpcall.Request{URL: "https://reports.example.com/run/{item}"})
	fmt.Println(err)
	// Output:
	// request is not valid: URL: there is no field {item}; the fields are {job}, {shard}, {total}, {parameter}, {job_parameter}, {fire}, {trigger}, {attempt}, {fence}, {key}
}

// Some services answer with status 200 in every case. Success reads the body.
func ExampleRequest_success() {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"ok":false}`) }))
	defer service.Close()

	handler, err := httpcall.New(httpcall.Request{
		URL:   service.URL,
		Allow: httpcall.Loopback(),
		Success: func(r httpcall.Response) error {
			if r.Status != http.StatusOK || string(r.Body) != `{"ok":true}` {
				return errors.New("the service has not done it")
			}
			return nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(handler.Handle(context.Background(), elastic.Run{}) != nil)
	// Output:
	// true
}

// Services in a private network are called only if Allow contains their
// addresses: a stored parameter must not lead there.
func ExamplePrivate() {
	handler, err := httpcall.New(httpcall.Request{URL: "http://10.1.2.3/report/{shard}", Allow: httpcall.Loopback()})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(handler.Handle(context.Background(), elastic.Run{}))
	fmt.Println(httpcall.Private())
	// Output:
	// GET http://10.1.2.3/report/0: dial tcp 10.1.2.3:80: 10.1.2.3 is not a public address; add it to Allow if it may be called
	// [10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 fc00::/7]
}
