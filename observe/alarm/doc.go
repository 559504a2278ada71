// Package alarm sends alarms to people: by mail, to Slack, DingTalk, WeCom or
// Feishu, or to a webhook.
//
//	alarms, err := alarm.Start(alarm.Config{
//		Name:    "production",
//		Targets: []alarm.Target{alarm.Slack{URL: os.Getenv("SLACK_WEBHOOK")}},
//	})
//	…
//	s, err := elastic.Open(ctx, url, elastic.WithEvents(alarms.Observe))
//	…
//	err = s.Run(ctx)
//	err = alarms.Close(ctx) // sends what waits
//
// A hundred shards that fail at the same time are one message. If they continue
// to fail, another message follows after ten minutes, with their number. Every
// alarm that is not sent is counted.
//
// Sending never delays a run or another target. Observe only stores the event,
// and each target has its own queue and goroutine.
package alarm
