package dev

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// Namespace is the namespace of the store's URL.
const Namespace = "dev"

// State describes a running store.
type State struct {
	Address string `json:"address"`       // such as 127.0.0.1:2379
	API     string `json:"api,omitempty"` // the address of the HTTP API
	PID     int    `json:"pid"`
}

// URL returns the URL that programs open.
func (s State) URL() string { return "etcd://" + s.Address + "/" + Namespace }

// APIURL returns the URL of the server of the HTTP API.
func (s State) APIURL() string { return "http://" + s.API }

const stateFile = "dev.json"

func readState(dir string) (State, error) {
	var s State
	text, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(text, &s)
}

func (s State) write(dir string) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, stateFile)
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		return fmt.Errorf("note the address: %w", err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return fmt.Errorf("note the address: %w", err)
	}
	return nil
}

// answers reports whether a process accepts connections at an address.
func answers(ctx context.Context, address string) bool {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
