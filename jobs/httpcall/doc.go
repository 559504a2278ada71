// Package httpcall has a handler that calls a URL.
//
//	h, err := httpcall.New(httpcall.Request{
//		Method:  "POST",
//		URL:     "https://reports.example.com/run/{shard}?of={total}",
//		Headers: map[string]string{"Idempotency-Key": "{key}"},
//	})
//
// URL, Headers and Body are templates with these fields, and no others:
//
//	{job}            the job's name
//	{shard}          the number of the shard, from 0
//	{total}          the job's number of shards
//	{parameter}      the shard's parameter
//	{job_parameter}  the job's parameter
//	{fire}           the scheduled time, RFC 3339, in UTC
//	{trigger}        the number of the run's trigger; 0: the schedule
//	{attempt}        from 1; a lost or leaving instance adds one
//	{fence}          a number that grows with every run of the shard
//	{key}            the same for all attempts at this run, such as
//	                 "report/0/2026-01-02T03:00:00Z"
//
// Values are escaped for their place. A stored value cannot choose the host, or
// begin another path segment, query parameter, header or JSON value.
//
// # Addresses
//
// Addresses that are not public (private, loopback, link-local and so on) are
// refused, unless Allow contains them. The address is checked when the
// connection is made, after the name was looked up, so a name that changes its
// address cannot pass. The metadata services of clouds, and Azure's platform at
// 168.63.129.16, are refused unless Allow contains this very address, such as
// 169.254.169.254/32. A private network in Allow does not allow them. Proxies
// of the environment are not used.
//
// # Redirects
//
// Redirects with status 307 and 308 are followed within the host of the URL.
// Others, such as a 302 to a login page, are not followed, because the request
// would become a GET of another page. They fail the run with an error that
// names the target, whatever the method, unless Success decides otherwise.
//
// # Connections
//
// Each call has its own connection. A server could close a kept connection just
// when the next run sends its request.
package httpcall
