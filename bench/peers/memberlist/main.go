// One node of HashiCorp's memberlist with its LAN defaults and an AES key, for bench_membership.py:
//
//	memberlist-node NAME PORT KEY_HEX [SEED_HOST:PORT ...]
//
// Prints what it sees as lines of JSON with the wall clock in nanoseconds. SIGTERM: it leaves in order.
package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
)

type seen struct {
	mutex sync.Mutex
	self  string
}

func (s *seen) say(event, node string) {
	now := time.Now().UnixNano()
	if node == s.self && event != "start" {
		return
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	fmt.Printf("{\"t\":%d,\"event\":%q,\"node\":%q}\n", now, event, node)
}

func (s *seen) NotifyJoin(node *memberlist.Node)   { s.say("up", node.Name) }
func (s *seen) NotifyLeave(node *memberlist.Node)  { s.say("down", node.Name) }
func (s *seen) NotifyUpdate(node *memberlist.Node) {}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	port, err := strconv.Atoi(os.Args[2])
	fail(err)
	key, err := hex.DecodeString(os.Args[3])
	fail(err)
	events := &seen{self: os.Args[1]}
	config := memberlist.DefaultLANConfig()
	config.Name = os.Args[1]
	config.BindAddr, config.BindPort = "127.0.0.1", port
	config.AdvertiseAddr, config.AdvertisePort = "127.0.0.1", port
	config.SecretKey = key
	config.Events = events
	config.LogOutput = io.Discard
	events.say("start", config.Name)
	list, err := memberlist.Create(config)
	fail(err)
	for seeds := os.Args[4:]; len(seeds) > 0; time.Sleep(100 * time.Millisecond) {
		if met, _ := list.Join(seeds); met > 0 {
			break
		}
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
	fail(list.Leave(time.Second))
	fail(list.Shutdown())
}
