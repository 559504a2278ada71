package elasticjob

import (
	"fmt"
	"regexp"
	"strconv"
)

var javaOffset = regexp.MustCompile(`^GMT([+-])([0-9]{1,2})(?::?([0-9]{2}))?$`)

// javaZone returns the zone that Java makes of a timeZone, in elastic's form.
// Java takes GMT for each text that it does not know; known is false then.
func javaZone(text string) (zone string, known bool) {
	if text == "GMT" || text == "GMT0" {
		return "UTC", true
	}
	parts := javaOffset.FindStringSubmatch(text)
	if parts == nil {
		return "UTC", false
	}
	hours, _ := strconv.Atoi(parts[2])
	minutes, _ := strconv.Atoi(parts[3])
	const mostHours, hour = 23, 60
	if hours > mostHours || minutes >= hour {
		return "UTC", false
	}
	if hours == 0 && minutes == 0 {
		return "UTC", true
	}
	return fmt.Sprintf("UTC%s%02d:%02d", parts[1], hours, minutes), true
}
