package zookeeper

import (
	"fmt"

	"github.com/elasticjob-go/elastic/internal/secret"
)

// Format prints the name of the driver, whatever the verb. Its fields hold
// secrets.
func (s *client) Format(f fmt.State, verb rune) { secret.Format(f, verb, "zookeeper store") }
