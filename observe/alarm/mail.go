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

// Security is how a connection to a mail server is kept from being read.
type Security int

// The kinds of security.
const (
	SecurityStartTLS Security = iota // the connection becomes TLS before anything is said; a server that can't do it gets no mail
	SecurityTLS                      // it is TLS from the start
	SecurityNoTLS                    // it is not: for a server on the same machine. There is no login
)

// Mail is a Target that sends messages by SMTP.
type Mail struct {
	// Host is the mail server's name. Port is 587 if it is zero, or 465 with TLS, or 25 with NoTLS.
	Host string
	Port int

	// Security says when the connection becomes TLS. The zero value is StartTLS.
	Security Security

	// TLS is for a server whose certificate is not signed by an authority of the system. Nil means what Go does.
	TLS *tls.Config

	// Username and Password are for the login, by PLAIN or LOGIN. No name means no login. They are in no error.
	Username, Password string

	// From is the sender, and To are the recipients, such as "ops@example.com" or "Operations <ops@example.com>". Recipients that the server
	// refuses get nothing; it is an error only if it refuses all.
	From string
	To   []string
}

// Name returns "mail" and the host.
func (m Mail) Name() string { return "mail by " + m.shownHost() }

// shownHost returns the host without a user and a password that do not belong
// there.
func (m Mail) shownHost() string {
	if at := strings.LastIndexByte(m.Host, '@'); at >= 0 {
		return "…" + m.Host[at:]
	}
	return m.Host
}

// Validate returns all that is wrong with the settings in one error.
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
		list.Add("username: without TLS there is no login, as anybody could read the password")
	}
	if _, err := mail.ParseAddress(m.From); err != nil {
		list.Add("from: %q: %w", m.From, err)
	}
	if len(m.To) == 0 {
		list.Add("to: there is nobody")
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
	// Nothing in package smtp takes a context.
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

// secrets are what a server could repeat in what it answers.
func (m Mail) secrets() []string {
	if m.Username == "" {
		return nil
	}
	encode := base64.StdEncoding.EncodeToString
	return []string{m.Password, encode([]byte(m.Password)), encode([]byte("\x00" + m.Username + "\x00" + m.Password))}
}

func (m Mail) dial(ctx context.Context) (net.Conn, error) {
	port := m.Port
	if port == 0 {
		port = map[Security]int{SecurityStartTLS: 587, SecurityTLS: 465, SecurityNoTLS: 25}[m.Security]
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

// talk says what there is to say over a connection, and closes it.
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
			return errors.New("the server has no STARTTLS: use the port that has TLS from the start, if there is one")
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

// localName is what this machine calls itself.
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
		return fmt.Errorf("the login is refused, code %d", e.Code) // not its text, which could repeat what was sent
	}
	return err
}

// loginAuth is AUTH LOGIN, which has no standard, and which the server asks for name and password in.
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

// address returns the part of an address between the brackets.
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
			return a.String() // a name that is not ASCII is encoded
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
	header("Auto-Submitted", "auto-generated") // RFC 3834: no holiday notes in answer, please
	header("MIME-Version", "1.0")
	header("Content-Type", "text/plain; charset=utf-8")
	header("Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	_, _ = w.Write([]byte(strings.ReplaceAll(msg.Text()+"\n", "\n", "\r\n"))) // a Buffer takes everything
	_ = w.Close()
	return b.Bytes()
}
