package alarm

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/internal/faults"
)

// Security is the encryption of the connection to a mail server.
type Security int

// The kinds of security.
const (
	// SecurityStartTLS encrypts the connection with STARTTLS before the login.
	// A server without STARTTLS gets no mail.
	SecurityStartTLS Security = iota

	// SecurityTLS encrypts the connection from the start.
	SecurityTLS

	// SecurityNoTLS does not encrypt, and does not log in: for a server on the
	// same machine.
	SecurityNoTLS
)

// Mail is a Target that sends messages by SMTP.
type Mail struct {
	// Host is the name of the mail server. Port 0 means 587 with
	// SecurityStartTLS, 465 with SecurityTLS, and 25 with SecurityNoTLS.
	Host string
	Port int

	// Security is the encryption. The zero value is SecurityStartTLS.
	Security Security

	// TLS is for a certificate that no authority of the system has signed. Nil
	// means the defaults of Go.
	TLS *tls.Config

	// Username and Password are for the login, by PLAIN or LOGIN. An empty
	// Username means no login. They are in no error.
	Username, Password string

	// From is the sender and To are the recipients, such as "ops@example.com"
	// or "Operations <ops@example.com>". It is an error if the server refuses
	// all recipients, not if it refuses some.
	From string
	To   []string
}

// Name returns "mail" and the host.
func (m Mail) Name() string { return "mail by " + m.shownHost() }

// shownHost returns the host for messages, without a user and a password that
// do not belong there.
func (m Mail) shownHost() string {
	if at := strings.LastIndexByte(m.Host, '@'); at >= 0 {
		return "…" + m.Host[at:]
	}
	return m.Host
}

// Validate returns all faults of the settings in one error.
func (m Mail) Validate() error {
	var list faults.List
	if m.Host == "" || strings.ContainsAny(m.Host, " :/@\r\n") && net.ParseIP(m.Host) == nil {
		list.Add("host: must be a name or an address without a port, is %q", m.shownHost())
	}
	if m.Port < 0 || m.Port > 65535 {
		list.Add("port: must be 1 to 65535, is %d", m.Port)
	}
	if m.Security < SecurityStartTLS || m.Security > SecurityNoTLS {
		list.Add("security: must be StartTLS, TLS or NoTLS, is %d", m.Security)
	}
	if m.Security == SecurityNoTLS && m.Username != "" {
		list.Add("username: without TLS there is no login, because the password could be read on the way")
	}
	if _, err := mail.ParseAddress(m.From); err != nil {
		list.Add("from: %q: %w", m.From, err)
	}
	if len(m.To) == 0 {
		list.Add("to: there is no recipient")
	}
	for _, to := range m.To {
		if _, err := mail.ParseAddress(to); err != nil {
			list.Add("to: %q: %w", to, err)
		}
	}
	return list.ErrOf("mail")
}

// Send sends a message to all recipients at once.
func (m Mail) Send(ctx context.Context, msg Message) error {
	if err := m.Validate(); err != nil {
		return err
	}
	conn, err := m.dial(ctx)
	if err != nil {
		return conceal(err, m.secrets())
	}
	// Package smtp has no function with a context.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if err := m.talk(conn, msg); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return conceal(err, m.secrets())
	}
	return nil
}

// secrets returns the secrets that a server could repeat in its answers.
func (m Mail) secrets() []string {
	if m.Username == "" {
		return nil
	}
	encode := base64.StdEncoding.EncodeToString
	plain := []byte("\x00" + m.Username + "\x00" + m.Password)
	return []string{m.Password, encode([]byte(m.Password)), encode(plain)}
}

func (m Mail) dial(ctx context.Context) (net.Conn, error) {
	port := m.Port
	if port == 0 {
		ports := map[Security]int{SecurityStartTLS: 587, SecurityTLS: 465, SecurityNoTLS: 25}
		port = ports[m.Security]
	}
	to := net.JoinHostPort(m.Host, strconv.Itoa(port))
	if m.Security == SecurityTLS {
		return (&tls.Dialer{Config: m.config()}).DialContext(ctx, "tcp", to)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", to)
}

func (m Mail) config() *tls.Config {
	c := m.TLS.Clone()
	if c == nil {
		c = new(tls.Config)
	}
	if c.ServerName == "" {
		c.ServerName = m.Host
	}
	return c
}

// talk sends a message over a connection, and closes it.
func (m Mail) talk(conn net.Conn, msg Message) error {
	c, err := smtp.NewClient(conn, m.Host)
	if err != nil {
		conn.Close()
		return fmt.Errorf("greeting: %w", err)
	}
	defer c.Close()
	if err := c.Hello(localName()); err != nil {
		return fmt.Errorf("EHLO: %w", err)
	}
	if m.Security == SecurityStartTLS {
		if ok, _ := c.Extension("STARTTLS"); !ok {
			return errors.New("the server has no STARTTLS; use SecurityTLS with the port that is encrypted from the start")
		}
		if err := c.StartTLS(m.config()); err != nil {
			return fmt.Errorf("STARTTLS: %w", err)
		}
	}
	if m.Username != "" {
		if err := m.login(c); err != nil {
			return err
		}
	}
	return m.submit(c, msg)
}

// localName returns the name of this machine for the greeting.
func localName() string {
	name, err := os.Hostname()
	if err != nil || name == "" || strings.ContainsAny(name, " \r\n") {
		return "localhost"
	}
	return name
}

func (m Mail) login(c *smtp.Client) error {
	_, methods := c.Extension("AUTH")
	var auth smtp.Auth
	switch all := " " + methods + " "; {
	case strings.Contains(all, " PLAIN "):
		auth = smtp.PlainAuth("", m.Username, m.Password, m.Host)
	case strings.Contains(all, " LOGIN "):
		auth = &loginAuth{answers: []string{m.Username, m.Password}}
	default:
		return fmt.Errorf("the server offers the logins %q, and neither PLAIN nor LOGIN", methods)
	}
	err := c.Auth(auth)
	if e := (*textproto.Error)(nil); errors.As(err, &e) {
		return fmt.Errorf("the login is refused, code %d", e.Code) // its text could repeat the password
	}
	return err
}

// loginAuth is AUTH LOGIN. It has no standard: the server asks for the name and
// then for the password.
type loginAuth struct{ answers []string }

func (a *loginAuth) Start(server *smtp.ServerInfo) (string, []byte, error) {
	if !server.TLS {
		return "", nil, errors.New("the connection is not encrypted")
	}
	return "LOGIN", nil, nil
}

func (a *loginAuth) Next(_ []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	if len(a.answers) == 0 {
		return nil, errors.New("the server asks for more than a name and a password")
	}
	answer := a.answers[0]
	a.answers = a.answers[1:]
	return []byte(answer), nil
}

func (m Mail) submit(c *smtp.Client, msg Message) error {
	if err := c.Mail(address(m.From)); err != nil {
		return fmt.Errorf("from %s: %w", address(m.From), err)
	}
	var refused error
	accepted := 0
	for _, to := range m.To {
		if err := c.Rcpt(address(to)); err != nil {
			refused = fmt.Errorf("to %s: %w", address(to), err)
			continue
		}
		accepted++
	}
	if accepted == 0 {
		return refused
	}
	w, err := c.Data()
	if err != nil {
		return fmt.Errorf("DATA: %w", err)
	}
	if _, err := w.Write(m.letter(msg, time.Now(), rand.Text())); err != nil {
		return fmt.Errorf("the text: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("the text: %w", err)
	}
	_ = c.Quit() // the mail is accepted
	return nil
}

// address returns the part of an address between the angle brackets.
func address(s string) string {
	if a, err := mail.ParseAddress(s); err == nil {
		return a.Address
	}
	return s
}

// letter returns a message as a mail.
func (m Mail) letter(msg Message, now time.Time, id string) []byte {
	var b bytes.Buffer
	header := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	canonical := func(s string) string {
		if a, err := mail.ParseAddress(s); err == nil {
			return a.String() // encodes a name that is not ASCII
		}
		return s
	}
	to := make([]string, len(m.To))
	for i, s := range m.To {
		to[i] = canonical(s)
	}
	_, domain, _ := strings.Cut(address(m.From), "@")
	header("From", canonical(m.From))
	header("To", strings.Join(to, ",\r\n "))
	header("Subject", mime.QEncoding.Encode("utf-8", msg.Title()))
	header("Date", now.Format(time.RFC1123Z))
	header("Message-ID", "<"+id+"@"+domain+">")
	header("Auto-Submitted", "auto-generated") // RFC 3834: prevents automatic answers
	header("MIME-Version", "1.0")
	header("Content-Type", "text/plain; charset=utf-8")
	header("Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	_, _ = w.Write([]byte(strings.ReplaceAll(msg.Text()+"\n", "\n", "\r\n"))) // a Buffer never fails
	_ = w.Close()
	return b.Bytes()
}
