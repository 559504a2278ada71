package consul

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
)

// token is the secret that is shown with every request. If it is in a file, it
// can be replaced there at any time: the file is read again when the old one is
// refused.
type token struct {
	file string

	mu     sync.Mutex
	secret string
}

// newToken takes the token from the one place that the URL names.
func newToken(params map[string]string) (*token, error) {
	t := &token{}
	named := 0
	for _, name := range []string{"token", "token_env", "token_file"} {
		if params[name] != "" {
			named++
		}
	}
	if named > 1 {
		return nil, errors.New("parameters token, token_env and token_file: want one of them")
	}
	switch {
	case params["token_env"] != "":
		if t.secret = os.Getenv(params["token_env"]); t.secret == "" {
			return nil, fmt.Errorf("parameter token_env: the environment variable %q is not set", params["token_env"])
		}
	case params["token_file"] != "":
		t.file = params["token_file"]
		secret, err := t.read()
		if err != nil {
			return nil, fmt.Errorf("parameter token_file: %w", err)
		}
		t.secret = secret
	default:
		t.secret = params["token"]
	}
	return t, nil
}

func (t *token) read() (string, error) {
	text, err := os.ReadFile(t.file)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" {
		return "", fmt.Errorf("%s is empty", t.file)
	}
	return secret, nil
}

func (t *token) get() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.secret
}

// renewed reads the file again and reports whether there is another token in it
// than the one that was refused.
func (t *token) renewed(refused string) bool {
	if t.file == "" {
		return false
	}
	secret, err := t.read()
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		t.secret = secret
	}
	return t.secret != refused
}
