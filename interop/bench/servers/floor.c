// floor.c: a yardstick. One epoll loop in C that takes masked frames and sends their payloads back, and keeps to nothing
// else of RFC 6455: no fragments, no close handshake but an answer, no limits, no UTF-8, no timers. What a message costs it
// is what the kernel's sockets cost, and little more. Prints its address; ends with standard input.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUF = 256 << 10 };

struct conn {
	int fd, open, ended;
	uint8_t *in;   // the beginning of a frame that is not whole
	size_t have, room;
	uint8_t *out;  // what the socket did not take
	size_t from, to;
};

static uint8_t buf[BUF];
static int ep;

static void drop(struct conn *c) {
	close(c->fd);
	free(c->in);
	free(c->out);
	free(c);
}

// put writes, and keeps what the socket does not take. 0: the connection is lost.
static int put(struct conn *c, const uint8_t *b, size_t n) {
	size_t done = 0;
	while (c->to == c->from && done < n) {
		ssize_t k = write(c->fd, b + done, n - done);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0 && errno != EAGAIN)
			return 0;
		if (k < 0)
			break;
		done += (size_t)k;
	}
	if (done < n) {
		if (c->from == c->to)
			c->from = c->to = 0;
		c->out = realloc(c->out, c->to + n - done);
		memcpy(c->out + c->to, b + done, n - done);
		c->to += n - done;
	}
	return 1;
}

static int flush(struct conn *c) {
	while (c->from < c->to) {
		ssize_t k = write(c->fd, c->out + c->from, c->to - c->from);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return errno == EAGAIN;
		c->from += (size_t)k;
	}
	free(c->out);
	c->out = NULL;
	c->from = c->to = 0;
	return 1;
}

static uint32_t rol(uint32_t v, int n) { return v << n | v >> (32 - n); }

static void sha1(const uint8_t *m, size_t n, uint8_t out[20]) {
	uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}, w[80];
	uint8_t b[128] = {0};
	memcpy(b, m, n); // at most 100 octets here
	b[n] = 0x80;
	size_t blocks = n < 56 ? 1 : 2;
	b[blocks * 64 - 2] = (uint8_t)(n * 8 >> 8);
	b[blocks * 64 - 1] = (uint8_t)(n * 8);
	for (size_t k = 0; k < blocks; k++) {
		for (int i = 0; i < 80; i++)
			w[i] = i < 16 ? (uint32_t)b[k * 64 + i * 4] << 24 | b[k * 64 + i * 4 + 1] << 16 | b[k * 64 + i * 4 + 2] << 8 | b[k * 64 + i * 4 + 3]
			              : rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
		uint32_t a = h[0], bb = h[1], c = h[2], d = h[3], e = h[4];
		for (int i = 0; i < 80; i++) {
			uint32_t f, kk;
			if (i < 20)
				f = (bb & c) | (~bb & d), kk = 0x5a827999;
			else if (i < 40)
				f = bb ^ c ^ d, kk = 0x6ed9eba1;
			else if (i < 60)
				f = (bb & c) | (bb & d) | (c & d), kk = 0x8f1bbcdc;
			else
				f = bb ^ c ^ d, kk = 0xca62c1d6;
			uint32_t t = rol(a, 5) + f + e + kk + w[i];
			e = d, d = c, c = rol(bb, 30), bb = a, a = t;
		}
		h[0] += a, h[1] += bb, h[2] += c, h[3] += d, h[4] += e;
	}
	for (int i = 0; i < 20; i++)
		out[i] = (uint8_t)(h[i / 4] >> (24 - i % 4 * 8));
}

// upgrade answers the handshake in c->in. 0: it is none.
static int upgrade(struct conn *c) {
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *key = strcasestr((char *)c->in, "\nsec-websocket-key:");
	if (!key)
		return 0;
	key += 19;
	key += strspn(key, " ");
	uint8_t text[100], sum[21] = {0};
	size_t n = strcspn(key, " \r\n");
	if (n > 32)
		return 0;
	memcpy(text, key, n);
	memcpy(text + n, guid, 36);
	sha1(text, n + 36, sum);
	char accept[29] = {0}, answer[256];
	for (int i = 0; i < 7; i++) {
		uint32_t v = (uint32_t)sum[i * 3] << 16 | sum[i * 3 + 1] << 8 | sum[i * 3 + 2];
		for (int j = 0; j < 4; j++)
			accept[i * 4 + j] = digits[v >> (18 - 6 * j) & 63];
	}
	accept[27] = '=';
	int len = snprintf(answer, sizeof answer, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept);
	c->open = 1;
	free(c->in);
	c->in = NULL;
	c->have = c->room = 0;
	return put(c, (uint8_t *)answer, (size_t)len);
}

// frames answers all whole frames in b, where they are, in one write. It gives how many octets they took; -1: the end.
static ssize_t frames(struct conn *c, uint8_t *b, size_t n) {
	size_t in = 0, out = 0, want = 0;
	while (n - in >= 6) {
		uint8_t *f = b + in;
		size_t head = 2, len = f[1] & 0x7f;
		if (len == 126) {
			head = 4;
			len = (size_t)f[2] << 8 | f[3];
		} else if (len == 127) {
			if (n - in < 14)
				break;
			head = 10;
			len = 0;
			for (int i = 2; i < 10; i++)
				len = len << 8 | f[i];
		}
		if (n - in < head + 4 + len) {
			want = head + 4 + len;
			break;
		}
		uint64_t key;
		uint32_t k32;
		memcpy(&k32, f + head, 4);
		key = (uint64_t)k32 << 32 | k32;
		uint8_t *p = f + head + 4;
		size_t i = 0;
		for (; i + 8 <= len; i += 8) {
			uint64_t v;
			memcpy(&v, p + i, 8);
			v ^= key;
			memcpy(p + i, &v, 8);
		}
		for (; i < len; i++)
			p[i] ^= ((uint8_t *)&k32)[i & 3];
		uint8_t op = f[0] & 15;
		f[1] &= 0x7f;
		memmove(b + out, f, head);
		memmove(b + out + head, p, len);
		out += head + len;
		in += head + 4 + len;
		if (op == 8) {
			put(c, b, out);
			c->ended = 1;
			return -1;
		}
	}
	if (out > 0 && !put(c, b, out))
		return -1;
	if (want > c->room) { // it grows once; b may be c->in, and is not looked at any more
		c->room = want;
		c->in = c->in ? realloc(c->in, want) : NULL;
	}
	return (ssize_t)in;
}

enum { OVER, EMPTY, MORE };

// arrived reads once.
static int arrived(struct conn *c) {
	ssize_t n;
	size_t asked = BUF;
	if (c->have > 0) { // behind what is there
		if (c->room < c->have + 16384) {
			c->room = c->have + BUF;
			c->in = realloc(c->in, c->room);
		}
		asked = c->room - c->have - (c->open ? 0 : 1);
		n = read(c->fd, c->in + c->have, asked);
	} else {
		n = read(c->fd, buf, BUF);
	}
	if (n < 0)
		return errno == EAGAIN ? EMPTY : errno == EINTR ? MORE : OVER;
	if (n == 0)
		return OVER;
	int state = (size_t)n == asked ? MORE : EMPTY;
	uint8_t *b = buf;
	size_t have = (size_t)n;
	if (c->have > 0) {
		c->have += (size_t)n;
		b = c->in;
		have = c->have;
	}
	if (!c->open) {
		if (b == buf) {
			c->room = have + 4096;
			c->in = malloc(c->room);
			memcpy(c->in, buf, have);
			c->have = have;
		}
		c->in[c->have] = 0;
		return !strstr((char *)c->in, "\r\n\r\n") || upgrade(c) ? state : OVER;
	}
	ssize_t used = frames(c, b, have);
	if (used < 0)
		return OVER;
	size_t rest = have - (size_t)used;
	if (rest == 0) {
		free(c->in);
		c->in = NULL;
		c->have = c->room = 0;
	} else if (b == buf) {
		if (c->room < rest)
			c->room = rest;
		c->in = malloc(c->room);
		memcpy(c->in, buf + used, rest);
		c->have = rest;
	} else {
		memmove(c->in, c->in + used, rest);
		c->have = rest;
	}
	return state;
}

static void *end_with_stdin(void *unused) {
	char b[64];
	while (read(0, b, sizeof b) > 0) { // gc: give back what is not needed
		malloc_trim(0);
		if (write(1, "ok\n", 3) != 3)
			break;
	}
	_exit(0);
	return unused;
}

int main(void) {
	struct rlimit lim;
	getrlimit(RLIMIT_NOFILE, &lim);
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof a;
	int l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
	if (bind(l, (struct sockaddr *)&a, size) || listen(l, 4096) || getsockname(l, (struct sockaddr *)&a, &size)) {
		perror("listen");
		return 1;
	}
	printf("127.0.0.1:%d\n", ntohs(a.sin_port));
	fflush(stdout);
	pthread_t t;
	pthread_create(&t, NULL, end_with_stdin, NULL);
	ep = epoll_create1(0);
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL}, evs[512];
	epoll_ctl(ep, EPOLL_CTL_ADD, l, &ev);
	for (;;) {
		int n = epoll_wait(ep, evs, 512, -1);
		for (int i = 0; i < n; i++) {
			struct conn *c = evs[i].data.ptr;
			if (!c) {
				int fd;
				while ((fd = accept4(l, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
					setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
					c = calloc(1, sizeof *c);
					c->fd = fd;
					ev.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
					ev.data.ptr = c;
					epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
				}
				continue;
			}
			int ok = 1;
			if (evs[i].events & EPOLLOUT && c->to > c->from)
				ok = flush(c);
			if (ok && evs[i].events & ~EPOLLOUT) {
				int state; // edge triggered: until it is empty, or the peer ended
				do
					state = arrived(c);
				while (state == MORE || (state == EMPTY && evs[i].events & (EPOLLRDHUP | EPOLLHUP)));
				ok = state != OVER;
			}
			if (!ok)
				drop(c);
		}
	}
}
