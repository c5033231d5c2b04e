package house

var floors = map[string][]string{}
var goroutines, clocks, sockets []string
