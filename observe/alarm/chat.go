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

// Slack is a Target that sends messages to an incoming webhook of Slack, or of
// a service with the same format, such as Mattermost.
type Slack struct {
	// URL is the URL of the webhook. It is a secret: errors show its host only.
	URL string
}

// Name returns "Slack" and the host.
func (s Slack) Name() string { return "Slack at " + host(s.URL) }

// Validate returns an error unless the URL can be called.
func (s Slack) Validate() error { return onlyURL("Slack", s.URL) }

// Send sends a message.
func (s Slack) Send(ctx context.Context, m Message) error {
	// Slack gives a meaning to these three characters only. <!channel> would
	// notify everyone.
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace
	text := "*" + escape(m.Title()) + "*\n" + escape(m.Text())
	_, err := postJSON(ctx, s.URL, map[string]any{"text": text})
	return err
}

// DingTalk is a Target that sends messages as a custom robot of a DingTalk
// group.
type DingTalk struct {
	// URL is the URL of the robot, with its access_token. Errors show its host
	// only.
	URL string

	// Secret signs messages, if the robot asks for it. It begins with SEC.
	Secret string

	// Keyword becomes the first line of messages, if the robot asks for one.
	Keyword string
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
	answer, err := postJSON(ctx, to, textMessage(text), d.Secret)
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

// WeCom is a Target that sends messages as a robot of a WeCom (WeChat Work)
// group.
type WeCom struct {
	// URL is the URL of the robot, with its key. Errors show its host only.
	URL string
}

// Name returns "WeCom" and the host.
func (w WeCom) Name() string { return "WeCom at " + host(w.URL) }

// Validate returns an error unless the URL can be called.
func (w WeCom) Validate() error { return onlyURL("WeCom", w.URL) }

// maxWeCom is the largest size of a robot's text, in bytes.
const maxWeCom = 2048

// Send sends a message.
func (w WeCom) Send(ctx context.Context, m Message) error {
	answer, err := postJSON(ctx, w.URL, textMessage(cut(m.whole(), maxWeCom)))
	if err != nil {
		return err
	}
	return refusal(answer, secretsOf(w.URL))
}

// Feishu is a Target that sends messages as a custom robot of a Feishu or Lark
// group.
type Feishu struct {
	// URL is the URL of the robot. It is a secret: errors show its host only.
	URL string

	// Secret signs messages, if the robot asks for it.
	Secret string
}

// Name returns "Feishu" and the host.
func (f Feishu) Name() string { return "Feishu at " + host(f.URL) }

// Validate returns an error unless the URL can be called.
func (f Feishu) Validate() error { return onlyURL("Feishu", f.URL) }

// Send sends a message, signed if there is a secret.
func (f Feishu) Send(ctx context.Context, m Message) error {
	// Feishu's texts have tags, and <at user_id="all"> would notify everyone. A
	// full-width sign looks the same.
	text := strings.ReplaceAll(m.whole(), "<", "＜")
	document := map[string]any{"msg_type": "text", "content": map[string]string{"text": text}}
	if f.Secret != "" {
		stamp := strconv.FormatInt(time.Now().Unix(), 10)
		document["timestamp"] = stamp
		document["sign"] = signFeishu(f.Secret, stamp)
	}
	answer, err := postJSON(ctx, f.URL, document, f.Secret)
	if err != nil {
		return err
	}
	return refusal(answer, append(secretsOf(f.URL), f.Secret))
}

// signFeishu returns the signature of a time in seconds: the hash of nothing,
// with both as the key.
// https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot
func signFeishu(secret, stamp string) string {
	return base64.StdEncoding.EncodeToString(hash(stamp+"\n"+secret, ""))
}

// textMessage returns a text for the robots of DingTalk and WeCom.
func textMessage(text string) map[string]any {
	return map[string]any{"msgtype": "text", "text": map[string]string{"content": text}}
}

func hash(key, text string) []byte {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(text))
	return h.Sum(nil)
}

// refusal returns an error if a robot has refused a message. Robots answer with
// status 200 and report the refusal in the body.
func refusal(answer []byte, secrets []string) error {
	var says struct {
		ErrCode *int   `json:"errcode"` // DingTalk, WeCom
		ErrMsg  string `json:"errmsg"`
		Code    *int   `json:"code"` // Feishu
		Msg     string `json:"msg"`
	}
	if err := json.Unmarshal(answer, &says); err != nil {
		return errors.New("the answer is not JSON; check that the URL is that of a robot")
	}
	code, text := says.ErrCode, says.ErrMsg
	if code == nil {
		code, text = says.Code, says.Msg
	}
	if code == nil {
		return errors.New("the answer has no code; check that the URL is that of a robot")
	}
	if *code != 0 {
		return fmt.Errorf("the robot refused it: %d %s", *code, cut(oneLine(hide(text, secrets)), 200))
	}
	return nil
}

func onlyURL(target, s string) error {
	if err := checkURL(s); err != nil {
		return fmt.Errorf("%s: %w", target, err)
	}
	return nil
}
