package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/elasticjob-go/elastic/internal/secret"
)

// Driver opens stores of one URL scheme.
type Driver struct {
	// Open connects to the store that c names. It returns only when the store
	// has answered, or with an error within ctx's deadline that names the
	// hosts.
	Open func(ctx context.Context, c Config) (Store, error)

	// Params are the URL parameters that the driver understands, besides those
	// of Config.
	Params []string
}

var (
	driversMu sync.RWMutex
	drivers   = map[string]Driver{}
)

// Register makes a driver known under a URL scheme. Drivers call it from init,
// so that a program chooses its stores by import, as with database/sql. It
// panics if the scheme is taken or Open is nil.
func Register(scheme string, d Driver) {
	driversMu.Lock()
	defer driversMu.Unlock()
	if d.Open == nil {
		panic("store: Register " + scheme + ": Open is nil")
	}
	if _, taken := drivers[scheme]; taken {
		panic("store: Register " + scheme + ": called twice")
	}
	drivers[scheme] = d
}

// Schemes returns the registered URL schemes, sorted.
func Schemes() []string {
	driversMu.RLock()
	defer driversMu.RUnlock()
	return slices.Sorted(maps.Keys(drivers))
}

// Open opens the store that a URL names, through the driver registered for its
// scheme, under the checks of Portable. See Config for the form of the URL. It
// returns once the store has answered; if ctx has no deadline it gives up after
// OpenTimeout.
func Open(ctx context.Context, rawURL string) (*Portable, error) {
	c, err := ParseURL(rawURL)
	if err != nil {
		return nil, err
	}
	driversMu.RLock()
	d, ok := drivers[c.Scheme]
	driversMu.RUnlock()
	if !ok {
		return nil, noDriver(c)
	}
	for name, value := range c.Params {
		if !slices.Contains(d.Params, name) {
			return nil, fmt.Errorf("%w: store URL %q: %s does not know the parameter %q (it knows: %s)",
				ErrInvalid, c, c.Scheme, shownName(name, value != ""), strings.Join(append(slices.Clone(commonParams), d.Params...), ", "))
		}
	}
	for name, value := range c.Params {
		if strings.HasSuffix(name, "_env") {
			secret.NoteVariable(value)
		}
	}
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, OpenTimeout)
		defer cancel()
	}
	s, err := d.Open(ctx, c)
	if err != nil {
		return nil, secret.Error(fmt.Errorf("open store %s: %w", c, err), c.secrets()...)
	}
	return NewPortable(s, c), nil
}

// packageOf returns the package to import for a scheme, which is all of them
// where it is of no known driver.
func packageOf(scheme string) string {
	const here = "github.com/elasticjob-go/elastic/store/"
	if slices.Contains(ourSchemes, scheme) {
		return here + scheme
	}
	return here + "all"
}
