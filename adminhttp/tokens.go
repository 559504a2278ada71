package adminhttp

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path"
	"runtime"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"
)

// Tokens identifies callers by bearer tokens of a file:
//
//	tokens:
//	  - name: li
//	    role: operate
//	    sha256: 9f86d081884c7d659a2feaa0c55ad015…
//	    expires: 2027-06-30T00:00:00Z
//	    jobs: ["report-*"]
//
// The file holds hashes, never tokens; [NewToken] makes both. It is read again
// when it changes; a file with faults leaves the tokens as they were. Make it
// with [LoadTokens].
type Tokens struct {
	path   string
	now    func() time.Time
	faulty func(error)

	mu      sync.Mutex
	looked  time.Time
	file    fs.FileInfo
	tokens  []token
	failing failures
}

// token is an entry of the file.
type token struct {
	Name    string    `yaml:"name"`
	Role    Role      `yaml:"role"`
	SHA256  string    `yaml:"sha256"`
	Expires time.Time `yaml:"expires,omitempty"`
	Jobs    []string  `yaml:"jobs,omitempty"`

	hash []byte
}

// lookEvery is how often the file is looked at.
const lookEvery = time.Second

// LoadTokens reads a file of tokens. faulty is called when a later version of
// the file can't be read; nil ignores that. On Unix the file must not be
// writable by others.
func LoadTokens(path string, faulty func(error)) (*Tokens, error) {
	if faulty == nil {
		faulty = func(error) {}
	}
	t := &Tokens{path: path, now: time.Now, faulty: faulty}
	if err := t.read(); err != nil {
		return nil, fmt.Errorf("read the tokens: %w", err)
	}
	t.looked = t.now()
	return t, nil
}

// read replaces the tokens by those of the file.
func (t *Tokens) read() error {
	info, err := os.Stat(t.path)
	if err != nil {
		return err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("others can write %s; run: chmod go-w %s", t.path, t.path)
	}
	text, err := os.ReadFile(t.path)
	if err != nil {
		return err
	}
	tokens, err := parseTokens(text)
	if err != nil {
		return fmt.Errorf("%s: %w", t.path, err)
	}
	t.file, t.tokens = info, tokens
	return nil
}

// parseTokens reads the content of a file of tokens.
func parseTokens(text []byte) ([]token, error) {
	var file struct {
		Tokens []token `yaml:"tokens"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil {
		return nil, err
	}
	var faults []error
	names := map[string]bool{}
	for i := range file.Tokens {
		e := &file.Tokens[i]
		if err := e.check(); err != nil {
			faults = append(faults, fmt.Errorf("token %d (%.40q): %w", i+1, e.Name, err))
		}
		if names[e.Name] {
			faults = append(faults, fmt.Errorf("token %d: there are two of the name %.40q", i+1, e.Name))
		}
		names[e.Name] = true
	}
	if len(file.Tokens) == 0 {
		faults = append(faults, errors.New("there is no token; make one with: elasticctl token new NAME --role read"))
	}
	return file.Tokens, errors.Join(faults...)
}

// check validates an entry and decodes its hash.
func (e *token) check() error {
	var faults []error
	if e.Name == "" || len(e.Name) > 128 {
		faults = append(faults, errors.New("name: want 1 to 128 bytes"))
	}
	if !e.Role.Includes(RoleRead) {
		faults = append(faults, fmt.Errorf("role: want read, operate or admin, is %.20q", e.Role))
	}
	hash, err := hex.DecodeString(e.SHA256)
	if err != nil || len(hash) != sha256.Size {
		faults = append(faults, errors.New("sha256: want 64 hexadecimal digits"))
	}
	e.hash = hash
	for _, pattern := range e.Jobs {
		if _, err := path.Match(pattern, ""); err != nil {
			faults = append(faults, fmt.Errorf("jobs: %.40q is not a pattern; want one such as report-*", pattern))
		}
	}
	return errors.Join(faults...)
}

// Identify implements Identify.
func (t *Tokens) Identify(r *http.Request) (Identity, error) {
	secret, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	address, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		address = r.RemoteAddr
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	t.look(now)
	if t.failing.tooMany(address, now) {
		return Identity{}, ErrTooMany
	}
	if !ok || secret == "" {
		return Identity{}, ErrUnidentified // it guesses nothing
	}
	hash := sha256.Sum256([]byte(secret))
	var found *token
	for i := range t.tokens { // all, so that the time does not tell which
		if subtle.ConstantTimeCompare(hash[:], t.tokens[i].hash) == 1 {
			found = &t.tokens[i]
		}
	}
	if found == nil || !found.Expires.IsZero() && !now.Before(found.Expires) {
		t.failing.add(address, now)
		return Identity{}, ErrUnidentified
	}
	return Identity{Name: found.Name, Role: found.Role, Jobs: found.Jobs}, nil
}

// look reads the file again if it has changed.
func (t *Tokens) look(now time.Time) {
	if now.Sub(t.looked) < lookEvery {
		return
	}
	t.looked = now
	info, err := os.Stat(t.path)
	if err == nil && info.ModTime().Equal(t.file.ModTime()) && info.Size() == t.file.Size() {
		return
	}
	if err == nil {
		t.file = info // a fault is told once
		err = t.read()
	}
	if err != nil {
		t.faulty(fmt.Errorf("read the tokens again: %w; those of before are in force", err))
	}
}

// failures counts wrong tokens by address.
type failures map[string][]time.Time

// The limits of failures: mostFailures within failureWindow for an address, of
// which mostAddresses are remembered.
const (
	mostFailures  = 5
	failureWindow = time.Minute
	mostAddresses = 10_000
)

func (f *failures) recent(address string, now time.Time) []time.Time {
	all := (*f)[address]
	for len(all) > 0 && now.Sub(all[0]) >= failureWindow {
		all = all[1:]
	}
	return all
}

func (f *failures) tooMany(address string, now time.Time) bool {
	return len(f.recent(address, now)) >= mostFailures
}

func (f *failures) add(address string, now time.Time) {
	if *f == nil || len(*f) >= mostAddresses {
		*f = failures{}
	}
	(*f)[address] = append(f.recent(address, now), now)
}

// NewToken returns a new token, and the entry for the file that takes it.
func NewToken(name string, role Role, expires time.Time, jobs ...string) (secret, entry string, err error) {
	var random [32]byte
	rand.Read(random[:])
	secret = "elastic_" + base64.RawURLEncoding.EncodeToString(random[:])
	hash := sha256.Sum256([]byte(secret))
	e := token{
		Name:    name,
		Role:    role,
		SHA256:  hex.EncodeToString(hash[:]),
		Expires: expires,
		Jobs:    jobs,
	}
	if err := e.check(); err != nil {
		return "", "", fmt.Errorf("make a token: %w", err)
	}
	text, err := yaml.Marshal([]token{e})
	if err != nil {
		return "", "", fmt.Errorf("make a token: %w", err)
	}
	return secret, string(text), nil
}
