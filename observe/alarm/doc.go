// Package alarm tells people when a job needs one: by mail, in Slack, DingTalk, WeCom or Feishu, or by a webhook of one's own.
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
// A hundred shards that fail at once are one message, and if they go on failing another after ten minutes which says how often: nothing
// is hidden, it is counted. Who sends never holds up a run, nor another target: Observe only notes the event, each target has a
// queue and a goroutine of its own, and what has no room is counted, too.
package alarm
