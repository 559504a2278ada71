package alarm

import (
	"testing"
	"time"
)

// The signatures are those of the services' documentation.
func TestSign_MatchesTheServices(t *testing.T) {
	got := signDingTalk("https://oapi.dingtalk.com/robot/send?access_token=x",
		"SECtest123", time.UnixMilli(1577262236757))
	if want := "https://oapi.dingtalk.com/robot/send?access_token=x&timestamp=1577262236757&sign=XFYJ6M1dpOCWs3BOLIAKRgcsJDm%2FDBDaam5piULq0qA%3D"; got != want {
		t.Errorf("DingTalk: got %s\nwant %s", got, want)
	}
	if got, want := signFeishu("demo", "1599360473"), "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8="; got != want {
		t.Errorf("Feishu: got %s, want %s", got, want)
	}
}

// A letter is one that mail servers accept.
func TestMail_LetterIsWellFormed(t *testing.T) {
	m := Mail{From: "Jöbs <jobs@example.com>", To: []string{"ops@example.com", "Night Shift <night@example.com>"}}
	msg := probe
	msg.Name = "prüd\r\nBcc: everybody@example.com"
	got := string(m.letter(msg, time.Unix(0, 0).UTC(), "id"))
	want := "From: =?utf-8?q?J=C3=B6bs?= <jobs@example.com>\r\n" +
		"To: <ops@example.com>,\r\n \"Night Shift\" <night@example.com>\r\n" +
		"Subject: =?utf-8?q?pr=C3=BCd__Bcc:_everybody@example.com:_job_failed,_2_times?=\r\n" +
		"Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n" +
		"Message-ID: <id@example.com>\r\n" +
		"Auto-Submitted: auto-generated\r\n" +
		"MIME-Version: 1.0\r\n" +
		"Content-Type: text/plain; charset=utf-8\r\n" +
		"Content-Transfer-Encoding: quoted-printable\r\n" +
		"\r\n" +
		"2 times since 1970-01-01T00:00:01Z; the last:\r\n" +
		"time: 1970-01-01T00:00:01Z\r\n" +
		"instance: a@1\r\n" +
		"job: job\r\n" +
		"shard: 1\r\n" +
		"fire: 1970-01-01T00:00:01Z\r\n" +
		"attempt: 1\r\n" +
		"took: 1s\r\n" +
		"subject: b@1\r\n" +
		"error: a \"quoted\"\r\n" +
		"error\r\n" +
		"detail: of \"several\"\r\n" +
		"lines\r\n" +
		"1 alarms before this one were not sent\r\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
