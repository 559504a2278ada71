package alarm_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/observe/alarm"
)

const (
	username = "jobs"
	password = "s3cr3t passw0rd"
)

// postOffice is a small SMTP server. It records the commands and the letters of
// its clients.
type postOffice struct {
	tls      *tls.Config
	implicit bool     // TLS from the start
	extends  []string // what it offers after EHLO; STARTTLS is not offered twice
	refuses  []string // beginnings of lines that it answers with 550, quoting them
	silent   string   // the beginning of a line that it does not answer

	mu      sync.Mutex
	said    []string
	letters []string
}

// open starts the server and returns its port, and a target for it.
func (p *postOffice) open(t *testing.T) alarm.Mail {
	t.Helper()
	certified := httptest.NewUnstartedServer(nil)
	certified.StartTLS() // for its certificate, which is for 127.0.0.1
	t.Cleanup(certified.Close)
	p.tls = &tls.Config{Certificates: certified.TLS.Certificates}
	roots := x509.NewCertPool()
	roots.AddCert(certified.Certificate())

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		group.Wait()
	})
	m := alarm.Mail{
		Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, TLS: &tls.Config{RootCAs: roots},
		Username: username,
		Password: password,
		From:     "Jobs <jobs@example.com>",
		To:       []string{"ops@example.com", "night@example.com"},
	}
	if p.implicit {
		m.Security = alarm.SecurityTLS
	}
	return m
}

func (p *postOffice) note(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = append(p.said, line)
}

func (p *postOffice) serve(c net.Conn) {
	defer func() { c.Close() }()
	encrypted := p.implicit
	if p.implicit {
		c = tls.Server(c, p.tls)
	}
	in := bufio.NewReader(c)
	answer := func(format string, a ...any) { fmt.Fprintf(c, format+"\r\n", a...) }
	answer("220 post office")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		p.note(line)
		starts := func(s string) bool { return strings.HasPrefix(line, s) }
		switch {
		case slices.ContainsFunc(p.refuses, starts):
			answer("550 not %s", line)
		case p.silent != "" && starts(p.silent):
			_, _ = io.Copy(io.Discard, in)
			return
		case starts("EHLO"):
			answer("250-post office")
			for _, e := range p.extends {
				if e != "STARTTLS" || !encrypted {
					answer("250-%s", e)
				}
			}
			answer("250 SIZE 1000000")
		case starts("STARTTLS"):
			answer("220 go")
			s := tls.Server(c, p.tls)
			if s.Handshake() != nil {
				return
			}
			c, in, encrypted = s, bufio.NewReader(s), true
		case starts("AUTH PLAIN"):
			if line == "AUTH PLAIN "+base64.StdEncoding.EncodeToString([]byte("\x00"+username+"\x00"+password)) {
				answer("235 welcome")
			} else {
				answer("535 not %s", line)
			}
		case starts("AUTH LOGIN"):
			var given []string
			for _, ask := range []string{"Username:", "Password:"} {
				answer("334 %s", base64.StdEncoding.EncodeToString([]byte(ask)))
				line, _ := in.ReadString('\n')
				b, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(line))
				given = append(given, string(b))
			}
			if slices.Equal(given, []string{username, password}) {
				answer("235 welcome")
			} else {
				answer("535 not %s", given)
			}
		case starts("DATA"):
			answer("354 go")
			var letter strings.Builder
			for {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				letter.WriteString(strings.TrimPrefix(line, "."))
			}
			p.mu.Lock()
			p.letters = append(p.letters, letter.String())
			p.mu.Unlock()
			answer("250 kept")
		case starts("QUIT"):
			answer("221 bye")
			return
		default:
			answer("250 ok")
		}
	}
}

// kept returns the letters, and the commands in one line.
func (p *postOffice) kept() ([]string, string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.letters, strings.Join(p.said, "; ")
}

// A mail is sent over TLS, after a login.
func TestMail_IsEncryptedAndLoggedIn(t *testing.T) {
	for name, p := range map[string]*postOffice{
		"STARTTLS, PLAIN":        {extends: []string{"STARTTLS", "AUTH LOGIN PLAIN"}},
		"STARTTLS, LOGIN":        {extends: []string{"STARTTLS", "AUTH LOGIN CRAM-MD5"}},
		"TLS from the start":     {implicit: true, extends: []string{"AUTH PLAIN"}},
		"TLS and LOGIN":          {implicit: true, extends: []string{"AUTH LOGIN"}},
		"one recipient is wrong": {extends: []string{"STARTTLS", "AUTH PLAIN"}, refuses: []string{"RCPT TO:<night@"}},
	} {
		m := p.open(t)
		if err := errors.Join(m.Validate(), m.Send(t.Context(), message)); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		letters, said := p.kept()
		if len(letters) != 1 {
			t.Errorf("%s: %d letters", name, len(letters))
			continue
		}
		if !strings.Contains(said, "MAIL FROM:<jobs@example.com>") || !strings.Contains(said, "RCPT TO:<ops@example.com>; RCPT TO:<night@example.com>; DATA; QUIT") {
			t.Errorf("%s: was said: %s", name, said)
		}
		letter, err := mail.ReadMessage(strings.NewReader(letters[0]))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(letter.Header.Get("Subject"))
		if err != nil || subject != message.Title() {
			t.Errorf("%s: subject %q, %v", name, subject, err)
		}
		if to := letter.Header.Get("To"); to != "<ops@example.com>, <night@example.com>" {
			t.Errorf("%s: to %q", name, to)
		}
		if date, err := letter.Header.Date(); err != nil || time.Since(date) > time.Minute {
			t.Errorf("%s: date %s, %v", name, date, err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(letter.Body))
		if got := strings.ReplaceAll(string(body), "\r\n", "\n"); err != nil || got != text+"\n" {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, text)
		}
	}
}

// Without TLS a mail is sent without a login.
func TestMail_WithoutTLS(t *testing.T) {
	p := &postOffice{extends: []string{"STARTTLS"}}
	m := p.open(t)
	m.Security, m.Username, m.Password = alarm.SecurityNoTLS, "", ""
	if err := errors.Join(m.Validate(), m.Send(t.Context(), message)); err != nil {
		t.Fatal(err)
	}
	if letters, said := p.kept(); len(letters) != 1 || strings.Contains(said, "STARTTLS") {
		t.Errorf("%d letters after %s", len(letters), said)
	}
}

// No error of a mail server's answer has the password.
func TestMail_ErrorsHaveNoPassword(t *testing.T) {
	all := []string{"STARTTLS", "AUTH PLAIN LOGIN"}
	for _, tt := range []struct {
		name   string
		p      *postOffice
		change func(m *alarm.Mail)
		want   string
		never  string // what the server must not have heard
	}{
		{
			"the server has no TLS",
			&postOffice{extends: []string{"AUTH PLAIN"}},
			nil,
			"the server has no STARTTLS",
			"AUTH",
		},
		{
			"its certificate is unknown",
			&postOffice{extends: all},
			func(m *alarm.Mail) { m.TLS = nil },
			"certificate",
			"AUTH",
		},
		{
			"its certificate is unknown, TLS",
			&postOffice{implicit: true},
			func(m *alarm.Mail) { m.TLS = nil },
			"certificate",
			"AUTH",
		},
		{
			"the password is wrong",
			&postOffice{extends: all},
			func(m *alarm.Mail) { m.Username = "user" },
			"the login is refused, code 535",
			"MAIL",
		},
		{
			"the password is wrong, LOGIN",
			&postOffice{extends: []string{"STARTTLS", "AUTH LOGIN"}},
			func(m *alarm.Mail) { m.Username = "user" },
			"the login is refused, code 535",
			"MAIL",
		},
		{
			"no login that we know",
			&postOffice{extends: []string{"STARTTLS", "AUTH GSSAPI"}},
			nil,
			"neither PLAIN nor LOGIN",
			"MAIL",
		},
		{"the sender is refused", &postOffice{
			extends: all,
			refuses: []string{"MAIL"},
		}, nil, "from jobs@example.com: 550", "DATA"},
		{"all recipients are refused", &postOffice{
			extends: all,
			refuses: []string{"RCPT"},
		}, nil, "to night@example.com: 550", "DATA"},
		{"the text is refused", &postOffice{extends: all, refuses: []string{"DATA"}}, nil, "DATA: 550", ""},
		{"EHLO is refused", &postOffice{refuses: []string{"EHLO", "HELO"}}, nil, "EHLO: 550", "AUTH"},
		{"STARTTLS is refused", &postOffice{extends: all, refuses: []string{"STARTTLS"}}, nil, "STARTTLS: 550", "AUTH"},
		{"no server", &postOffice{}, func(m *alarm.Mail) { m.Port = 1 }, "connection refused", ""},
		{"the settings are wrong", &postOffice{}, func(m *alarm.Mail) { m.To = nil }, "there is no recipient", "EHLO"},
	} {
		m := tt.p.open(t)
		if tt.change != nil {
			tt.change(&m)
		}
		err := m.Send(t.Context(), message)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
			continue
		}
		encoded := base64.StdEncoding.EncodeToString([]byte("\x00" + m.Username + "\x00" + password))
		if strings.Contains(err.Error(), password) || strings.Contains(err.Error(), encoded) {
			t.Errorf("%s: there is the password in %v", tt.name, err)
		}
		letters, said := tt.p.kept()
		if len(letters) != 0 || tt.never != "" && strings.Contains(said, tt.never) {
			t.Errorf("%s: %d letters after %s", tt.name, len(letters), said)
		}
	}
}

// A mail server that does not answer is given up when the context ends.
func TestMail_GivesUpSilentServers(t *testing.T) {
	for _, at := range []string{"EHLO", "MAIL", "DATA"} {
		p := &postOffice{extends: []string{"STARTTLS", "AUTH PLAIN"}, silent: at}
		m := p.open(t)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if err := m.Send(ctx, message); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("silent at %s: got %v", at, err)
		}
		cancel()
	}
}
