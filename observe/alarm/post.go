package alarm

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// client follows no redirects, because the URL of a webhook is a secret. It
// keeps no connections, because alarms are rare.
var client = &http.Client{
	Transport: &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DisableKeepAlives:      true,
		ForceAttemptHTTP2:      true,
		MaxResponseHeaderBytes: 64 << 10,
	},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// maxAnswer is the number of bytes of an answer that are read.
const maxAnswer = 16 << 10

// post sends a body and returns the answer if its status is 200 to 299. Errors
// have neither the URL nor one of the secrets.
func post(ctx context.Context, method, to string, header http.Header, body []byte, secrets ...string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("its URL can't be used") // err would show the URL
	}
	req.Header = header
	secrets = append(secrets, secretsOf(to)...)
	res, err := client.Do(req)
	if err != nil {
		if e := (*url.Error)(nil); errors.As(err, &e) {
			err = e.Err
		}
		return nil, conceal(err, secrets)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, conceal(err, secrets)
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return nil, fmt.Errorf("the answer is %d %s", res.StatusCode, http.StatusText(res.StatusCode))
	}
	return answer, nil
}

// postJSON sends a document.
func postJSON(ctx context.Context, to string, document any, secrets ...string) ([]byte, error) {
	body, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("encode the message: %w", err)
	}
	header := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
	return post(ctx, http.MethodPost, to, header, body, secrets...)
}

// checkURL returns an error unless a URL can be called. The error does not show
// the URL.
func checkURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case s == "":
		return errors.New("URL: is empty")
	case err != nil:
		return errors.New("URL: can't be read; it is not shown, as it may hold a secret")
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return errors.New("URL: must begin with https:// or http:// and a host")
	}
	return nil
}

// host returns the part of a URL that errors may show.
func host(s string) string {
	if u, err := url.Parse(s); err == nil {
		return u.Host
	}
	return "?"
}

// secretsOf returns the secret parts of a webhook's URL: each segment of its
// path, and the values of its query.
func secretsOf(s string) []string {
	u, err := url.Parse(s)
	if err != nil {
		return []string{s}
	}
	secrets := append(strings.Split(u.Path, "/"), strings.Split(u.EscapedPath(), "/")...)
	for _, values := range u.Query() {
		secrets = append(secrets, values...)
		for _, v := range values {
			secrets = append(secrets, url.QueryEscape(v))
		}
	}
	if u.User != nil {
		password, _ := u.User.Password()
		login := []byte(u.User.Username() + ":" + password)
		secrets = append(secrets, password, base64.StdEncoding.EncodeToString(login))
	}
	return secrets
}

// minSecret is the shortest text that is treated as a secret. Shorter ones are
// parts of many words.
const minSecret = 4

// concealed is an error without secrets. It does not unwrap, because the
// wrapped error has them.
type concealed string

func (c concealed) Error() string { return string(c) }

// conceal returns err, or an error without the secrets if its text has any.
func conceal(err error, secrets []string) error {
	if text := hide(err.Error(), secrets); text != err.Error() {
		return concealed(text)
	}
	return err
}

// hide replaces secrets in a text.
func hide(text string, secrets []string) string {
	secrets = slices.Clone(secrets)
	// The longest is first, because a shorter secret can be a part of it.
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	for _, secret := range secrets {
		if len(secret) >= minSecret {
			text = strings.ReplaceAll(text, secret, "…")
		}
	}
	return text
}
