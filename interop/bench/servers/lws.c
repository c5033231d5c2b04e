// lws.c: an echo server on libwebsockets, over HTTP/1.1 and HTTP/2 (RFC 8441) by prior knowledge. Prints its address; ends
// with standard input. With the argument compress it takes permessage-deflate.
#include <libwebsockets.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// A message that was received, or is on its way out.
struct msg {
	struct msg *next;
	size_t len, done;
	int binary;
	unsigned char data[]; // LWS_PRE octets, then the message
};

enum { FRAME = 16384 };

static int h2;

struct session {
	struct msg *first, **last;
	unsigned char *in; // a message that is not whole
	size_t have, room;
};

static int echo(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len) {
	struct session *s = user;
	switch (reason) {
	case LWS_CALLBACK_ESTABLISHED:
		s->first = NULL;
		s->last = &s->first;
		s->in = NULL;
		s->have = s->room = 0;
		break;
	case LWS_CALLBACK_RECEIVE: {
		int final = lws_is_final_fragment(wsi) && !lws_remaining_packet_payload(wsi);
		struct msg *m;
		if (s->have == 0 && final) {
			m = malloc(sizeof *m + LWS_PRE + len);
			memcpy(m->data + LWS_PRE, in, len);
			m->len = len;
		} else {
			if (s->room < s->have + len) {
				s->room = (s->have + len + lws_remaining_packet_payload(wsi)) * 5 / 4;
				s->in = realloc(s->in, s->room);
			}
			memcpy(s->in + s->have, in, len);
			s->have += len;
			if (!final)
				break;
			m = malloc(sizeof *m + LWS_PRE + s->have);
			memcpy(m->data + LWS_PRE, s->in, s->have);
			m->len = s->have;
			s->have = 0;
		}
		m->binary = lws_frame_is_binary(wsi);
		m->next = NULL;
		m->done = 0;
		*s->last = m;
		s->last = &m->next;
		lws_callback_on_writable(wsi);
		break;
	}
	case LWS_CALLBACK_SERVER_WRITEABLE: {
		struct msg *m = s->first;
		if (!m)
			break;
		// Over HTTP/2 the library makes one DATA frame of whatever it is given, over SETTINGS_MAX_FRAME_SIZE too: a long
		// message leaves in fragments.
		size_t part = m->len - m->done;
		if (h2 && part > FRAME - 16)
			part = FRAME - 16;
		int how = m->done ? LWS_WRITE_CONTINUATION : m->binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT;
		if (m->done + part < m->len)
			how |= LWS_WRITE_NO_FIN;
		int n = lws_write(wsi, m->data + LWS_PRE + m->done, part, how); // what is before it has been sent
		m->done += part;
		if (n >= 0 && m->done < m->len) {
			lws_callback_on_writable(wsi);
			break;
		}
		if (!(s->first = m->next))
			s->last = &s->first;
		free(m);
		if (n < 0)
			return -1;
		if (s->first)
			lws_callback_on_writable(wsi);
		break;
	}
	case LWS_CALLBACK_CLOSED:
		while (s->first) {
			struct msg *m = s->first;
			s->first = m->next;
			free(m);
		}
		free(s->in);
		break;
	default:
		break;
	}
	return 0;
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

int main(int argc, char **argv) {
	static const struct lws_protocols protocols[] = {{"", echo, sizeof(struct session), 65536, 0, NULL, 0}, {NULL, NULL, 0, 0, 0, NULL, 0}};
	static const struct lws_extension extensions[] = {{"permessage-deflate", lws_extension_callback_pm_deflate, "permessage-deflate"}, {NULL, NULL, NULL}};
	struct lws_context_creation_info info;
	memset(&info, 0, sizeof info);
	lws_set_log_level(LLL_ERR, NULL);
	info.port = argc > 1 ? atoi(argv[1]) : 0;
	info.iface = "127.0.0.1";
	info.protocols = protocols;
	info.options = LWS_SERVER_OPTION_DISABLE_IPV6;
	info.pt_serv_buf_size = 65536;
	static const uint32_t settings[7] = {1, 4096, 0, 1000, 65535, FRAME, 0xffffffff}; // by number, as in RFC 9113, 6.5.2
	memcpy(info.http2_settings, settings, sizeof settings);
	for (int i = 2; i < argc; i++) {
		if (!strcmp(argv[i], "h2") && (h2 = 1))
			info.options |= LWS_SERVER_OPTION_H2_PRIOR_KNOWLEDGE;
		if (!strcmp(argv[i], "utf8"))
			info.options |= LWS_SERVER_OPTION_VALIDATE_UTF8;
		if (!strcmp(argv[i], "compress"))
			info.extensions = extensions;
	}
	struct lws_context *ctx = lws_create_context(&info);
	if (!ctx)
		return 1;
	printf("127.0.0.1:%d\n", info.port);
	fflush(stdout);
	pthread_t t;
	pthread_create(&t, NULL, end_with_stdin, NULL);
	while (lws_service(ctx, 0) >= 0)
		;
}
