package memory

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/elasticjob-go/elastic/store"
)

func init() {
	store.Register("memory", store.Driver{Open: open})
}

// opened holds the servers that URLs name, each while at least one store on it
// is open.
var opened = struct {
	sync.Mutex
	servers map[string]*shared
}{servers: map[string]*shared{}}

type shared struct {
	server  *Server
	clients int // open now
	ever    int
}

// open returns a client of the server that all memory URLs with the same host
// and namespace share.
func open(_ context.Context, c store.Config) (store.Store, error) {
	opened.Lock()
	defer opened.Unlock()
	where := strings.Join(c.Hosts, ",") + "/" + c.Namespace
	sh := opened.servers[where]
	if sh == nil {
		sh = &shared{server: NewServer()}
		opened.servers[where] = sh
	}
	sh.clients++
	sh.ever++
	client := sh.server.Connect(fmt.Sprintf("%s#%d", where, sh.ever))
	client.release = func() {
		opened.Lock()
		defer opened.Unlock()
		if sh.clients--; sh.clients == 0 {
			delete(opened.servers, where)
		}
	}
	return client, nil
}
