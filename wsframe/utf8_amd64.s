#include "textflag.h"

// Whether an octet may follow the one before it is told by three half octets: both of the first one, and the high one of the
// second. Each is looked up in a table of the ways in which a pair can be wrong; a way that all three know is an error (Keiser and
// Lemire, Validating UTF-8 in less than one instruction per byte, 2021). The ways:
//
//	01  a first octet, and none that continues it
//	02  ASCII, and one that continues
//	04  an overlong form of three octets
//	08  above U+10FFFF
//	10  a surrogate
//	20  an overlong form of two octets
//	40  an overlong form of four octets, or a first octet of F5 to FF and 80 to 8F
//	80  two that continue: right where the third or fourth octet of a character is due, and only there

// firstHigh is by the high half of the first octet.
DATA firstHigh<>+0(SB)/8, $0x0202020202020202
DATA firstHigh<>+8(SB)/8, $0x4915012180808080
GLOBL firstHigh<>(SB), RODATA|NOPTR, $16

// firstLow is by its low half.
DATA firstLow<>+0(SB)/8, $0xcbcbcb8b8383a3e7
DATA firstLow<>+8(SB)/8, $0xcbcbdbcbcbcbcbcb
GLOBL firstLow<>(SB), RODATA|NOPTR, $16

// secondHigh is by the high half of the second.
DATA secondHigh<>+0(SB)/8, $0x0101010101010101
DATA secondHigh<>+8(SB)/8, $0x01010101babaaee6
GLOBL secondHigh<>(SB), RODATA|NOPTR, $16

// ended is the largest octets that do not begin a character which the block does not end.
DATA ended<>+0(SB)/8, $0xffffffffffffffff
DATA ended<>+8(SB)/8, $0xffffffffffffffff
DATA ended<>+16(SB)/8, $0xffffffffffffffff
DATA ended<>+24(SB)/8, $0xbfdfefffffffffff
GLOBL ended<>(SB), RODATA|NOPTR, $32

DATA half<>+0(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA half<>+8(SB)/8, $0x0f0f0f0f0f0f0f0f
GLOBL half<>(SB), RODATA|NOPTR, $16

// What is over e0, and f0, has its highest bit set when these are taken away.
DATA three<>+0(SB)/8, $0x6060606060606060
DATA three<>+8(SB)/8, $0x6060606060606060
GLOBL three<>(SB), RODATA|NOPTR, $16

DATA four<>+0(SB)/8, $0x7070707070707070
DATA four<>+8(SB)/8, $0x7070707070707070
GLOBL four<>(SB), RODATA|NOPTR, $16

DATA high<>+0(SB)/8, $0x8080808080808080
DATA high<>+8(SB)/8, $0x8080808080808080
GLOBL high<>(SB), RODATA|NOPTR, $16

// func badText(p []byte) bool
TEXT ·badText(SB), NOSPLIT, $0-25
	MOVQ           p_base+0(FP), SI
	MOVQ           p_len+8(FP), CX
	VBROADCASTI128 firstHigh<>(SB), Y8
	VBROADCASTI128 firstLow<>(SB), Y9
	VBROADCASTI128 secondHigh<>(SB), Y10
	VBROADCASTI128 half<>(SB), Y11
	VBROADCASTI128 three<>(SB), Y12
	VBROADCASTI128 four<>(SB), Y13
	VBROADCASTI128 high<>(SB), Y14
	VMOVDQU        ended<>(SB), Y15
	VPXOR          Y0, Y0, Y0          // what is wrong
	VPXOR          Y1, Y1, Y1          // the block before
	VPXOR          Y7, Y7, Y7          // what it did not end

block:
	VMOVDQU   (SI), Y2
	VPMOVMSKB Y2, AX
	TESTL     AX, AX
	JNZ       mixed
	VPOR      Y7, Y0, Y0
	VPXOR     Y7, Y7, Y7
	JMP       next

mixed:
	VPERM2I128 $0x21, Y2, Y1, Y3
	VPALIGNR   $15, Y3, Y2, Y4  // the octet before each
	VPSRLW     $4, Y4, Y5
	VPAND      Y11, Y5, Y5
	VPSHUFB    Y5, Y8, Y5
	VPAND      Y11, Y4, Y4
	VPSHUFB    Y4, Y9, Y4
	VPAND      Y4, Y5, Y5
	VPSRLW     $4, Y2, Y4
	VPAND      Y11, Y4, Y4
	VPSHUFB    Y4, Y10, Y4
	VPAND      Y4, Y5, Y5
	VPALIGNR   $14, Y3, Y2, Y4  // the one before that
	VPSUBUSB   Y12, Y4, Y4
	VPALIGNR   $13, Y3, Y2, Y6  // and before that
	VPSUBUSB   Y13, Y6, Y6
	VPOR       Y4, Y6, Y4
	VPAND      Y14, Y4, Y4      // a third or fourth octet is due
	VPXOR      Y4, Y5, Y5
	VPOR       Y5, Y0, Y0
	VPSUBUSB   Y15, Y2, Y7

next:
	VMOVDQA Y2, Y1
	ADDQ    $32, SI
	SUBQ    $32, CX
	JNZ     block
	VPTEST  Y0, Y0
	SETNE   ret+24(FP)
	VZEROUPPER
	RET

// func hasAVX2() bool
TEXT ·hasAVX2(SB), NOSPLIT, $0-1
	MOVB $0, ret+0(FP)
	XORL AX, AX
	CPUID
	CMPL AX, $7
	JLT  none
	MOVL $1, AX
	XORL CX, CX
	CPUID
	ANDL $0x18000000, CX // OSXSAVE, AVX
	CMPL CX, $0x18000000
	JNE  none
	XORL CX, CX
	XGETBV
	ANDL $6, AX          // the system keeps XMM and YMM
	CMPL AX, $6
	JNE  none
	MOVL $7, AX
	XORL CX, CX
	CPUID
	SHRL $5, BX
	ANDL $1, BX
	MOVB BX, ret+0(FP)

none:
	RET
