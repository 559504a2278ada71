package cron

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/internal/spelling"
)

// LoadLocation returns the time zone of a name. [Spec], jobs and job files use
// it for their time zones.
//
//	Asia/Shanghai   a name of the IANA time zone database, spelled exactly
//	UTC+08:00       a fixed offset from UTC; also GMT+8, UTC+8, +08:00, -0530
//	UTC             also the empty name
//
// A fixed offset has no summer time. A plus is east of Greenwich, unlike in
// "Etc/GMT+8". Offsets go up to 14 hours in whole minutes.
//
// "Local" is refused, because it differs between hosts. The error for an
// unknown name suggests a similar one. If the database lacks a known name, or
// there is no database, the error says what to do.
func LoadLocation(name string) (*time.Location, error) {
	if loc := fixedOffset(name); loc != nil {
		return loc, nil
	}
	if slices.ContainsFunc([]string{"local", "localtime"}, func(s string) bool { return strings.EqualFold(s, name) }) {
		return nil, fmt.Errorf("time zone %q differs from machine to machine; name one, such as Asia/Shanghai", name)
	}
	_, exact := slices.BinarySearch(zoneNames(), name)
	exact = exact || name == ""
	if !exact && slices.ContainsFunc(zoneNames(), func(s string) bool { return strings.EqualFold(s, name) }) {
		return nil, zoneFault(name, false) // some file systems would find it, and others not
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, zoneFault(name, exact)
	}
	return location(loc)
}

var offsetForm = regexp.MustCompile(`^(?i:UTC|GMT)?([+-])(\d{1,2})(?::?(\d{2}))?$`)

// maxOffset is the greatest offset from UTC of any place, in minutes.
const maxOffset = 14 * 60

// fixedOffset returns the zone of a fixed offset, or nil if name is not one.
func fixedOffset(name string) *time.Location {
	part := offsetForm.FindStringSubmatch(name)
	if part == nil {
		return nil
	}
	hours, _ := strconv.Atoi(part[2])
	minutes, _ := strconv.Atoi(part[3])
	total := hours*60 + minutes
	if minutes > 59 || total > maxOffset {
		return nil
	}
	if total == 0 {
		return time.UTC
	}
	if part[1] == "-" {
		total = -total
	}
	return time.FixedZone(fmt.Sprintf("UTC%s%02d:%02d", part[1], hours, minutes), total*60)
}

// zoneFault returns the error for a name that can't be loaded. known reports
// whether the time zone database has it.
func zoneFault(name string, known bool) error {
	if known {
		return fmt.Errorf("time zone %s is not in this machine's time zone database, or there is none; "+
			`import _ "time/tzdata" in package main, or install the package tzdata`, name)
	}
	shown := quote(name)
	if places := abbreviations[strings.ToUpper(name)]; len(places) > 1 {
		return fmt.Errorf("time zone %s stands for several zones; write %s, or an offset such as UTC+08:00",
			shown, strings.Join(places, " or "))
	} else if len(places) == 1 {
		return fmt.Errorf("time zone %s is an abbreviation; write %s", shown, places[0])
	}
	if near := nearestZone(name); near != "" {
		return fmt.Errorf("time zone %s is unknown; did you mean %s?", shown, near)
	}
	return fmt.Errorf("time zone %s is unknown; write a name of the IANA database such as Asia/Shanghai, "+
		"or an offset such as UTC+08:00", shown)
}

//go:embed zonenames.txt
var zoneList string

// zoneNames returns the names of the IANA database of 2026, sorted. They serve
// suggestions; a name that is not among them is looked up all the same.
var zoneNames = sync.OnceValue(func() []string { return strings.Fields(zoneList) })

// nearestZone returns the zone that was probably meant, or nothing.
func nearestZone(name string) string {
	plain := plainZone(name)
	if len(plain) > 60 {
		return ""
	}
	if zone, ok := places[plain]; ok {
		return zone
	}
	for _, zone := range zoneNames() {
		if plainZone(zone) == plain {
			return zone
		}
	}
	best, distance := "", 3
	for _, zone := range zoneNames() {
		city := zone[strings.LastIndexByte(zone, '/')+1:]
		for _, candidate := range []string{plainZone(zone), plainZone(city)} {
			if candidate == plain {
				return zone
			}
			if len(candidate) < 5 {
				continue
			}
			if d := spelling.Distance(plain, candidate); d < distance {
				best, distance = zone, d
			}
		}
	}
	return best
}

// plainZone returns a name without what people write in different ways.
func plainZone(name string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "", ".", "").Replace(strings.ToLower(name))
}

// errLocal is returned for time.Local.
var errLocal = errors.New(`time zone "Local" differs from machine to machine; name one, such as Asia/Shanghai`)

// abbreviations are what a clock shows beside the time. Most stand for several
// zones, or change with the season, so none is taken.
var abbreviations = map[string][]string{
	"ACST": {"Australia/Adelaide", "Australia/Darwin"},
	"AEDT": {"Australia/Sydney"},
	"AEST": {"Australia/Sydney", "Australia/Brisbane"},
	"AKST": {"America/Anchorage"},
	"AST":  {"America/Halifax", "Asia/Riyadh"},
	"AWST": {"Australia/Perth"},
	"BRT":  {"America/Sao_Paulo"},
	"BST":  {"Europe/London", "Asia/Dhaka"},
	"CAT":  {"Africa/Maputo"},
	"CDT":  {"America/Chicago", "America/Havana"},
	"CEST": {"Europe/Paris", "Europe/Berlin"},
	"CST":  {"Asia/Shanghai", "America/Chicago", "America/Havana"},
	"EAT":  {"Africa/Nairobi"},
	"EDT":  {"America/New_York"},
	"EEST": {"Europe/Athens", "Europe/Kyiv"},
	"GST":  {"Asia/Dubai", "Atlantic/South_Georgia"},
	"HKT":  {"Asia/Hong_Kong"},
	"ICT":  {"Asia/Bangkok"},
	"IST":  {"Asia/Kolkata", "Europe/Dublin", "Asia/Jerusalem"},
	"JST":  {"Asia/Tokyo"},
	"KST":  {"Asia/Seoul"},
	"MDT":  {"America/Denver"},
	"MSK":  {"Europe/Moscow"},
	"MYT":  {"Asia/Kuala_Lumpur"},
	"NZDT": {"Pacific/Auckland"},
	"NZST": {"Pacific/Auckland"},
	"PDT":  {"America/Los_Angeles"},
	"PHT":  {"Asia/Manila"},
	"PKT":  {"Asia/Karachi"},
	"PST":  {"America/Los_Angeles", "Asia/Manila"},
	"SAST": {"Africa/Johannesburg"},
	"SGT":  {"Asia/Singapore"},
	"SST":  {"Pacific/Pago_Pago", "Asia/Singapore"},
	"WAT":  {"Africa/Lagos"},
	"WEST": {"Europe/Lisbon"},
	"WIB":  {"Asia/Jakarta"},
	"Z":    {"UTC"},
}

// places are cities, countries and Windows zones that the database does not
// name, as plainZone writes them.
var places = map[string]string{
	"argentina":                 "America/Argentina/Buenos_Aires",
	"asia/beijing":              "Asia/Shanghai",
	"asia/guangzhou":            "Asia/Shanghai",
	"asia/newdelhi":             "Asia/Kolkata",
	"asia/shenzhen":             "Asia/Shanghai",
	"auseasternstandardtime":    "Australia/Sydney",
	"austria":                   "Europe/Vienna",
	"bangalore":                 "Asia/Kolkata",
	"barcelona":                 "Europe/Madrid",
	"beijing":                   "Asia/Shanghai",
	"belgium":                   "Europe/Brussels",
	"bombay":                    "Asia/Kolkata",
	"boston":                    "America/New_York",
	"centraleuropestandardtime": "Europe/Budapest",
	"centralstandardtime":       "America/Chicago",
	"chengdu":                   "Asia/Shanghai",
	"china":                     "Asia/Shanghai",
	"chinastandardtime":         "Asia/Shanghai",
	"delhi":                     "Asia/Kolkata",
	"easternstandardtime":       "America/New_York",
	"france":                    "Europe/Paris",
	"frankfurt":                 "Europe/Berlin",
	"geneva":                    "Europe/Zurich",
	"germany":                   "Europe/Berlin",
	"gmtstandardtime":           "Europe/London",
	"guangzhou":                 "Asia/Shanghai",
	"hamburg":                   "Europe/Berlin",
	"hangzhou":                  "Asia/Shanghai",
	"houston":                   "America/Chicago",
	"hyderabad":                 "Asia/Kolkata",
	"india":                     "Asia/Kolkata",
	"indiastandardtime":         "Asia/Kolkata",
	"indonesia":                 "Asia/Jakarta",
	"italy":                     "Europe/Rome",
	"koreastandardtime":         "Asia/Seoul",
	"malaysia":                  "Asia/Kuala_Lumpur",
	"miami":                     "America/New_York",
	"milan":                     "Europe/Rome",
	"mountainstandardtime":      "America/Denver",
	"mumbai":                    "Asia/Kolkata",
	"munich":                    "Europe/Berlin",
	"nanjing":                   "Asia/Shanghai",
	"newdelhi":                  "Asia/Kolkata",
	"osaka":                     "Asia/Tokyo",
	"pacificstandardtime":       "America/Los_Angeles",
	"peking":                    "Asia/Shanghai",
	"philippines":               "Asia/Manila",
	"riodejaneiro":              "America/Sao_Paulo",
	"sanfrancisco":              "America/Los_Angeles",
	"seattle":                   "America/Los_Angeles",
	"shenzhen":                  "Asia/Shanghai",
	"singaporestandardtime":     "Asia/Singapore",
	"spain":                     "Europe/Madrid",
	"sweden":                    "Europe/Stockholm",
	"switzerland":               "Europe/Zurich",
	"taiwan":                    "Asia/Taipei",
	"thailand":                  "Asia/Bangkok",
	"tokyostandardtime":         "Asia/Tokyo",
	"uk":                        "Europe/London",
	"ukraine":                   "Europe/Kyiv",
	"vietnam":                   "Asia/Ho_Chi_Minh",
	"washington":                "America/New_York",
	"weuropestandardtime":       "Europe/Berlin",
	"wuhan":                     "Asia/Shanghai",
}
