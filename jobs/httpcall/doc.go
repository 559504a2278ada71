// Package httpcall holds a handler that calls a URL.
//
//	h, err := httpcall.New(httpcall.Request{
//		Method:  "POST",
//		URL:     "https://reports.example.com/run/{shard}?of={total}&region={parameter}",
//		Headers: map[string]string{"Authorization": "Bearer " + token, "Idempotency-Key": "{key}"},
//	})
//
// URL, Headers and Body are templates with these fields, and no others:
//
//	{job}            the job's name
//	{shard}          the number of the shard, from 0
//	{total}          how many shards the job has
//	{parameter}      the shard's parameter
//	{job_parameter}  the job's parameter
//	{fire}           the scheduled time in RFC 3339, in UTC
//	{trigger}        the number of the trigger that asked for the run; 0 if it was the schedule
//	{attempt}        from 1; more if instances died, or left, while they ran this fire
//	{fence}          a number that grows with every run of the shard
//	{key}            what is the same for all attempts at this work, such as "report/0/2026-01-02T03:00:00Z"
//
// What the store holds can fill a field and do nothing else: it is escaped for the place where it stands, and can neither choose the host
// nor begin another path segment, query parameter, header or JSON value.
//
// # Where it calls
//
// Addresses that are not public (private, loopback, link-local and so on) are refused unless Allow has them. The address is checked when
// the connection is made, after names were looked up, so a name that is suddenly another address gets nowhere. The metadata services of
// clouds, and Azure's platform at 168.63.129.16, are refused unless Allow has the very address, such as 169.254.169.254/32: a private
// network that is allowed does not allow them. Proxies of the environment are not used.
//
// Redirects with status 307 and 308 are followed within the host of the URL. One with another status, such as 302 to a login page, is
// not: the browser's GET of the other page would not do what was asked for. It fails the run with an error that names the place, whatever
// the method, unless Success decides otherwise.
//
// Each call has a connection of its own. On one that was kept from the run before, a server may close just when the request is sent.
package httpcall
