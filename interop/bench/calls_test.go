package main

import "testing"

// TestParseCalls: what perf stat prints becomes calls a message, each kind the sum of its names.
func TestParseCalls(t *testing.T) {
	text := `# started on Wed Nov 25 20:00:00 2026

400,,raw_syscalls:sys_enter,1000,100.00,,
50,,context-switches,1000,100.00,,
100,,syscalls:sys_enter_read,1000,100.00,,
20,,syscalls:sys_enter_readv,1000,100.00,,
<not supported>,,syscalls:sys_enter_recvmsg,0,100.00,,
100,,syscalls:sys_enter_writev,1000,100.00,,
7,,syscalls:sys_enter_futex,1000,100.00,,
`
	c, ok := parseCalls(text, 100)
	if !ok || c.all != 4 || c.switches != 0.5 || c.kind != [len(callKinds)]float64{1.2, 1, 0, 0.07, 0} {
		t.Errorf("%+v, %v", c, ok)
	}
	if _, ok := parseCalls("event syntax error: unknown tracepoint\n", 100); ok {
		t.Error("an error of perf's was taken for figures")
	}
}
