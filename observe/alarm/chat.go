package alarm

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Slack is a Target that sends messages to an incoming webhook of Slack, or of something that understands its format, such as Mattermost.
type Slack struct {
	URL string // of the webhook. It is as good as a password, and in no error but for its host
}

// Name returns "Slack" and the host.
func (s Slack) Name() string { return "Slack at " + host(s.URL) }

// Validate returns an error unless the URL can be called.
func (s Slack) Validate() error { return onlyURL("Slack", s.URL) }

// Send sends a message.
func (s Slack) Send(ctx context.Context, m Message) error {
	// Only these three mean anything to Slack, and <!channel> would call everybody.
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace
	text := "*" + escape(m.Title()) + "*\n" + escape(m.Text())
	_, err := postJSON(ctx, s.URL, map[string]any{"text": text})
	return err
}

// DingTalk is a Target that sends messages as a custom robot of a group in DingTalk.
type DingTalk struct {
	URL     string // of the robot, with its access_token. It is in no error but for its host
	Secret  string // with which messages are signed, if the robot asks for it: it begins with SEC
	Keyword string // that messages must have, if the robot asks for it. It becomes the first line
}

// Name returns "DingTalk" and the host.
func (d DingTalk) Name() string { return "DingTalk at " + host(d.URL) }

// Validate returns an error unless the URL can be called.
func (d DingTalk) Validate() error { return onlyURL("DingTalk", d.URL) }

// Send sends a message, signed if there is a secret.
func (d DingTalk) Send(ctx context.Context, m Message) error {
	to := d.URL
	if d.Secret != "" {
		to = signDingTalk(d.URL, d.Secret, time.Now())
	}
	text := m.whole()
	if d.Keyword != "" {
		text = d.Keyword + "\n" + text
	}
	answer, err := postJSON(ctx, to, map[string]any{"msgtype": "text", "text": map[string]string{"content": text}}, d.Secret)
	if err != nil {
		return err
	}
	return refusal(answer, append(secretsOf(to), d.Secret))
}

// signDingTalk returns a robot's URL with a signature of the time:
// https://open.dingtalk.com/document/robots/customize-robot-security-settings
func signDingTalk(to, secret string, now time.Time) string {
	stamp := strconv.FormatInt(now.UnixMilli(), 10)
	sign := base64.StdEncoding.EncodeToString(hash(secret, stamp+"\n"+secret))
	between := "&"
	if !strings.Contains(to, "?") {
		between = "?"
	}
	return to + between + "timestamp=" + stamp + "&sign=" + url.QueryEscape(sign)
}

// WeCom is a Target that sends messages as a robot of a group in WeCom (WeChat Work).
type WeCom struct {
	URL string // of the robot, with its key. It is in no error but for its host
}

// Name returns "WeCom" and the host.
func (w WeCom) Name() string { return "WeCom at " + host(w.URL) }

// Validate returns an error unless the URL can be called.
func (w WeCom) Validate() error { return onlyURL("WeCom", w.URL) }

// maxWeCom is how many bytes of text a robot may send.
const maxWeCom = 2048

// Send sends a message.
func (w WeCom) Send(ctx context.Context, m Message) error {
	answer, err := postJSON(ctx, w.URL, map[string]any{"msgtype": "text", "text": map[string]string{"content": cut(m.whole(), maxWeCom)}})
	if err != nil {
		return err
	}
	return refusal(answer, secretsOf(w.URL))
}

// Feishu is a Target that sends messages as a custom robot of a group in Feishu, or Lark.
type Feishu struct {
	URL    string // of the robot. It is as good as a password, and in no error but for its host
	Secret string // with which messages are signed, if the robot asks for it
}

// Name returns "Feishu" and the host.
func (f Feishu) Name() string { return "Feishu at " + host(f.URL) }

// Validate returns an error unless the URL can be called.
func (f Feishu) Validate() error { return onlyURL("Feishu", f.URL) }

// Send sends a message, signed if there is a secret.
func (f Feishu) Send(ctx context.Context, m Message) error {
	// Its texts have tags, and <at user_id="all"> would call everybody. A full-width sign looks the same.
	text := strings.ReplaceAll(m.whole(), "<", "＜")
	document := map[string]any{"msg_type": "text", "content": map[string]string{"text": text}}
	if f.Secret != "" {
		stamp := strconv.FormatInt(time.Now().Unix(), 10)
		document["timestamp"], document["sign"] = stamp, signFeishu(f.Secret, stamp)
	}
	answer, err := postJSON(ctx, f.URL, document, f.Secret)
	if err != nil {
		return err
	}
	return refusal(answer, append(secretsOf(f.URL), f.Secret))
}

// signFeishu returns the signature of a time in seconds: of nothing, with both as the key.
// https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot
func signFeishu(secret, stamp string) string {
	return base64.StdEncoding.EncodeToString(hash(stamp+"\n"+secret, ""))
}

func hash(key, text string) []byte {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(text))
	return h.Sum(nil)
}

// refusal returns what a robot has against a message: they answer 200 all the same, and say it in the body.
func refusal(answer []byte, secrets []string) error {
	var says struct {
		ErrCode *int   `json:"errcode"` // DingTalk, WeCom
		ErrMsg  string `json:"errmsg"`
		Code    *int   `json:"code"` // Feishu
		Msg     string `json:"msg"`
	}
	if err := json.Unmarshal(answer, &says); err != nil {
		return errors.New("the answer is not JSON: is it the URL of a robot?")
	}
	code, text := says.ErrCode, says.ErrMsg
	if code == nil {
		code, text = says.Code, says.Msg
	}
	if code == nil {
		return errors.New("the answer has no code: is it the URL of a robot?")
	}
	if *code != 0 {
		return fmt.Errorf("it is refused: %d %s", *code, cut(oneLine(hide(text, secrets)), 200))
	}
	return nil
}

func onlyURL(target, s string) error {
	if err := checkURL(s); err != nil {
		return fmt.Errorf("%s: %w", target, err)
	}
	return nil
}
