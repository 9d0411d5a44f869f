"""Renders small templates with transformers' and lm-evaluation-harness' Jinja environments, for the tests of internal/jinja.

    python3 internal/reference/jinja_language.py

writes internal/jinja/testdata/language.json; needs transformers and lm-eval.
"""

import json
import pathlib

from lm_eval.utils import env as task_env
from transformers.utils.chat_template_utils import _compile_jinja_template

OUT = pathlib.Path(__file__).resolve().parents[2] / "internal" / "jinja" / "testdata" / "language.json"

VARS = {
    "s": " Héllo, World ",
    "n": 7,
    "f": 2.5,
    "t": True,
    "no": None,
    "l": [3, "b", None, 1.5, True, [1], {"k": "v"}],
    "nums": [3, 1, 2, 2],
    "words": ["pear", "Apple", "fig", "apple"],
    "m": {"b": 1, "a": {"x": [1, 2]}, "items": "mine", "ü": "<&'\">"},
    "rows": [{"n": "x", "v": 2, "g": "q"}, {"n": "Y", "v": 1, "g": "p"}, {"n": "z", "v": 2, "g": "Q"}],
    "big": 123456789012345678901234567890,
    "lines": "a\n\n  b\r\nc\n",
    "question": " Which? ",
    "choices": {"text": ["it's", 'a "b"', "c\n"], "label": ["A", "B", "C"]},
    "answerKey": " B",
    "answer": "step 1\n#### 1,234",
}

BOTH = r"""
{{ s }}|{{ n }}|{{ f }}|{{ t }}|{{ no }}|{{ l }}|{{ m }}|{{ big }}
{{ [1.0, 1e16, 1e15, 123456789.125, 1e-4, 1e-5, -0.0, 1.5e300, 0.1] }}
{{ ['it\'s', "q\"q", 'both \'"', 'n\n\t\r\\', '\x00\x7f\x85\xa0\u200b\u2028é世\U0001F600'] }}
{{ (1,) }}{{ () }}{{ (1, 2) }}{{ [(), []] }}{{ {} }}{{ {1: 'a', none: 2, true: 3, 1.5: 4, (1, 2): 5} }}
{{ 0x1F }}{{ 0b101 }}{{ 0o17 }}{{ 1_000 }}{{ 1.5e3 }}{{ 1e3 }}{{ 00 }}
{{ 'a' 'b' "c" }}{{ 'a\
b' }}{{ '\q\101\x41\u0041' }}
{{ 7 // 2 }}{{ -7 // 2 }}{{ 7 % -3 }}{{ -7 % 3 }}{{ 7 / 2 }}{{ 6 / 2 }}{{ 2 ** 10 }}{{ 2 ** 0.5 }}{{ 2 ** -2 }}{{ 2 ** 3 ** 2 }}
{{ 7.5 // 2 }}{{ -7.5 % 2 }}{{ 7.5 % -2 }}{{ 1 + true }}{{ -true }}{{ +n }}{{ -n }}{{ - n | abs }}
{{ big + 1 }}{{ big * big }}{{ 9223372036854775807 + 1 }}{{ -9223372036854775808 - 1 }}{{ 2 ** 100 }}{{ big // 7 }}{{ big % 1000 }}{{ -big }}
{{ 1 / 0 }}
{{ 1 // 0 }}
{{ 1.0 % 0 }}
{{ 'a' * 3 }}{{ 3 * 'ab' }}{{ 'a' * -1 }}{{ [1, 2] * 2 }}{{ 2 * (1,) }}{{ [1] + [2] }}{{ (1,) + (2,) }}{{ 'a' + 'b' }}
{{ 'a' + 1 }}
{{ 1 + 'a' }}
{{ 'a' - 'b' }}
{{ [1] + (2,) }}
{{ none + 1 }}
{{ -'a' }}
{{ 'a' ~ 1 ~ none ~ 1.0 ~ [1, 'x'] ~ true }}
{{ 1 < 2 < 3 }}{{ 1 < 3 < 2 }}{{ 1 == 1.0 }}{{ true == 1 }}{{ '1' == 1 }}{{ none == false }}{{ [1, 2] == [1.0, 2] }}{{ {'a': 1} == {'a': 1.0} }}{{ (1,) == [1] }}
{{ 'a' < 'b' }}{{ 'Z' < 'a' }}{{ [1, 2] < [1, 3] }}{{ [1] < [1, 0] }}{{ (2,) > (1, 5) }}{{ big > 1e10 }}{{ 'é' > 'z' }}
{{ 1 < 'a' }}
{{ none < 1 }}
{{ {} < {} }}
{{ 'ell' in s }}{{ 1 in [1.0] }}{{ 'b' in m }}{{ 'z' not in m }}{{ none in l }}{{ '' in 'a' }}{{ 3 in (1, 2, 3) }}{{ 1 in m.values() }}
{{ 1 in 'a' }}
{{ 1 in 5 }}
{{ 'a' in none }}
{{ [] in {} }}
{{ 1 and 2 }}{{ 0 and 2 }}{{ '' or 'x' }}{{ none or false }}{{ not 1 }}{{ not '' and 1 }}{{ 1 or 1 / 0 }}
{{ 'y' if t else 'n' }}{{ 'y' if not t else 'n' }}{{ 'y' if t }}{{ 1 if false else 2 if false else 3 }}{{ (1 if t else 2) + 1 }}
{{ s[1] }}{{ s[-2] }}{{ s[1:6] }}{{ s[::-1] }}{{ s[::2] }}{{ s[5:1:-2] }}{{ s[-100:100] }}{{ s[3:3] }}|{{ s[:2] }}|{{ s[-3:] }}
{{ nums[1:] }}{{ nums[:-1] }}{{ nums[::-1] }}{{ nums[-1] }}{{ nums[true] }}{{ (1, 2, 3)[1:] }}{{ nums[10:] }}{{ nums[:none] }}
{{ nums[::0] }}
{{ nums['a':] }}
{{ nums[0] }}{{ nums.0 }}{{ m.b }}{{ m['a'].x[1] }}{{ m['items'] }}{{ m.a['x'].0 }}
{{ m.items() | list }}{{ m.keys() | list }}{{ m.values() | list }}{{ m.get('b') }}{{ m.get('zz') }}{{ m.get('zz', 5) }}{{ m.keys() }}{{ m.items() }}
{{ m | list }}{{ m | length }}{{ m | first }}{{ m.copy() == m }}{{ m.a.items() }}
{% for k, v in m.items() %}{{ k }}={{ v }};{% endfor %}
{% for k in m %}{{ k }}{% endfor %}{% for c in 'añb' %}[{{ c }}]{% endfor %}
{% for a, (b, c) in [(1, (2, 3)), [4, [5, 6]]] %}{{ a }}{{ b }}{{ c }} {% endfor %}
{% for a, b in [(1, 2, 3)] %}{% endfor %}
{% for a, b in [(1,)] %}{% endfor %}
{% for a in 5 %}{% endfor %}
{% for a in none %}{% endfor %}
{% for x in nums if x > 1 %}{{ loop.index }}/{{ loop.length }}:{{ x }} {% else %}none{% endfor %}{% for x in [] %}{% else %}empty{% endfor %}{% for x in nums if x > 9 %}{% else %}no{% endfor %}
{% for x in nums %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }}{{ loop.cycle('a', 'b') }}{{ loop.changed(x) }}|{% endfor %}
{% for x in nums %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }}{{ loop.nextitem if loop.nextitem is defined }}{% endfor %}
{% for x in [[1, [2, [3]]], [4]] recursive %}{% if x is iterable %}({{ loop.depth }}{{ loop(x) }}){% else %}{{ x }}{% endif %}{% endfor %}
{% for x in [1] %}{% for y in [1, 2] %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}
{% for x in nums %}{{ loop(1) }}{% endfor %}
{% set x = 1 %}{% for i in nums %}{% set x = x + 1 %}{{ x }}{% endfor %}{{ x }}
{% for i in [1, 2] %}{% if i == 1 %}{% set y = 5 %}{% endif %}{{ y is defined }}{% endfor %}{{ y is defined }}
{% if t %}{% set z = 1 %}{% endif %}{{ z }}{% if not t %}a{% elif n == 7 %}b{% else %}c{% endif %}{% if none %}a{% elif '' %}b{% else %}c{% endif %}
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set a, b = b, a %}{{ a }}{{ b }}{% set (a, b) = 'xy' %}{{ a }}{{ b }}{% set c = 1, %}{{ c }}
{% set ns = namespace(a=1, b={'c': 2}) %}{% for i in range(3) %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}{{ ns.b.c }}{% set ns.d = 'd' %}{{ ns.d }}{{ ns['d'] }}
{% set ns = namespace({'q': 1}, r=2) %}{{ ns.q }}{{ ns.r }}
{% set x = {} %}{% set x.a = 1 %}
{% set block %}  text {{ n }} {% endset %}[{{ block }}]{% set up | upper | trim %} aé {% endset %}[{{ up }}]
{% filter upper %}abc {{ s }}{% endfilter %}{% filter replace('a', 'b') | trim %} aa {% endfilter %}
{% with a = 1, b = n %}{{ a }}{{ b }}{% set a = 2 %}{{ a }}{% endwith %}{{ a is defined }}
{% macro f(a, b='q', c=b) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ f(1) }}{{ f(1, 2) }}{{ f(b=3, a=4) }}{{ f(1, c=9) }}{{ f.name }}
{% macro f(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, 3, x=4) }}{{ f(*[1, 2], **{'z': 5}) }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(b=2) }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, a=2) }}
{% macro f(a) %}[{{ caller(a) }}{{ caller('z') }}]{% endmacro %}{% call(x) f(n) %}<{{ x }}>{% endcall %}
{% macro fact(x) %}{% if x <= 1 %}1{% else %}{{ x * (fact(x - 1) | int) }}{% endif %}{% endmacro %}{{ fact(10) }}
{% macro f() %}{{ outer }}{% endmacro %}{% set outer = 'later' %}{{ f() }}
{% raw %}{{ no }} {% if %}{% endraw %}|{%- raw -%}  x  {%- endraw -%}|
{# a comment {{ x }} #}a{#- b -#}  c  {#- d #}
a {%- if t %} b {%- endif -%} c {{- ' d ' -}} e {%+ if t +%} f {% endif %}
  {% if t %}
  x
  {% endif %}
   {{ n }}
{% for i in [1, 2] -%}
  {{ i }}
{%- endfor %}
   {# c #}
 y {% if t %} z
{% endif %}
{%if t%}a{%endif%}{{n}}{{ {'a': {'b': 1}}['a']['b'] }}{{ {'a':{}} }}
{{ "}}" }}{{ '%}' }}{{ "{{" }}{% if "%}" == '%}' %}ok{% endif %}
{% set x = "line1
line2" %}{{ x }}{{ x | length }}
{{ range(5) | list }}{{ range(2, 8, 3) | list }}{{ range(3, 0, -1) | list }}{{ range(0) | list }}{{ range(3)[1] }}{{ range(4) | length }}
{{ dict(a=1, b=2) }}{{ dict({'a': 1}, c=3) }}{{ dict([('x', 1), ['y', 2]]) }}
{% set j = joiner(', ') %}{% for i in nums %}{{ j() }}{{ i }}{% endfor %}{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}
{{ s.strip() }}|{{ s.lstrip() }}|{{ s.rstrip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'abcab'.rstrip('ab') }}|{{ '\u3000\x1f a\xa0'.strip() }}|{{ 'a'.strip(none) }}
{{ s.upper() }}{{ s.lower() }}{{ s.title() }}{{ s.strip().capitalize() }}{{ s.swapcase() }}{{ 'ẞß'.casefold() }}
{{ "they're bill's o'neil x2y".title() }}{{ 'straße ŉ ﬁx'.upper() }}{{ 'ΑΣ ΑΣΑ'.lower() }}{{ 'ΑΣ ΑΣ'.title() }}{{ 'ΑΣ Σ'.capitalize() }}{{ 'İSTANBUL'.capitalize() }}{{ 'ﬁ'.title() }}{{ ''.capitalize() }}
{{ 'a b  c '.split() }}{{ 'a,b,,c'.split(',') }}{{ 'a,b,c'.split(',', 1) }}{{ ' a  b c '.split(none, 1) }}{{ ''.split() }}{{ ''.split(',') }}{{ 'a b'.split(maxsplit=0) }}{{ 'aXXbXX'.split('XX') }}
{{ 'a,b,c'.rsplit(',', 1) }}{{ ' a  b c '.rsplit(none, 1) }}{{ 'a b c'.rsplit() }}{{ 'a,b,c'.rsplit(',') }}{{ ' a b '.rsplit(none, 0) }}
{{ lines.splitlines() }}{{ lines.splitlines(true) }}{{ 'a\x0bb\x1cc\u2028d\x85e'.splitlines() }}{{ ''.splitlines() }}
{{ 'a'.split('') }}
{{ 'a-b-c'.partition('-') }}{{ 'a-b-c'.rpartition('-') }}{{ 'abc'.partition('-') }}{{ 'abc'.rpartition('-') }}
{{ ', '.join(['a', 'b']) }}{{ ''.join([]) }}{{ '-'.join('abc') }}{{ ','.join({'x': 1, 'y': 2}) }}
{{ ','.join([1]) }}
{{ 'aXbXc'.replace('X', '--') }}{{ 'aaa'.replace('a', 'b', 2) }}{{ 'ab'.replace('', '-') }}{{ 'ab'.replace('', '-', 2) }}{{ 'abc'.replace('b', '') }}
{{ 'abc'.startswith('ab') }}{{ 'abc'.endswith(('x', 'c')) }}{{ 'abc'.startswith('b', 1) }}{{ 'abc'.endswith('b', 0, 2) }}{{ 'abc'.startswith('') }}{{ 'abc'.removeprefix('a') }}{{ 'abc'.removesuffix('c') }}
{{ 'abc'.startswith(1) }}
{{ 'héhé'.find('é') }}{{ 'héhé'.rfind('é') }}{{ 'héhé'.find('é', 2) }}{{ 'abc'.find('z') }}{{ 'abc'.index('c') }}{{ 'aaa'.count('a') }}{{ 'aaa'.count('aa') }}{{ 'ab'.count('') }}{{ 'abc'.find('a', 5) }}
{{ 'abc'.index('z') }}
{{ nums.index(2) }}{{ nums.count(2) }}{{ choices.label.index(answerKey.lstrip()) }}{{ (1, 2).index(2) }}
{{ nums.index(9) }}
{{ (1, 2).index(9) }}
{{ 'ab'.center(5) }}|{{ 'abc'.center(6, '*') }}|{{ 'ab'.ljust(4) }}|{{ 'ab'.rjust(4, '.') }}|{{ '-7'.zfill(5) }}|{{ 'abc'.center(2) }}
{{ '12'.isdigit() }}{{ '²'.isdigit() }}{{ '²'.isdecimal() }}{{ '½'.isnumeric() }}{{ ''.isdigit() }}{{ 'ab1'.isalnum() }}{{ 'aé'.isalpha() }}{{ ' \n'.isspace() }}{{ 'Ab'.istitle() }}{{ 'AB1'.isupper() }}{{ 'ab'.islower() }}{{ 'é'.isascii() }}{{ '12'.isupper() }}{{ 'a\n'.isprintable() }}
{{ '%s-%d-%.2f-%5s|%-5s|%05d|%x|%r|%%' % ('a', 3, 2.5, 'b', 'c', 42, 255, 'q') }}{{ '%s' % 'x' }}{{ '%s' % [1, 2] }}{{ '%(a)s %(b)d' % {'a': 1, 'b': 2} }}{{ '%e %g %G' % (12345.678, 0.0001, 1e20) }}
{{ '%d' % 'a' }}
{{ '%s %s' % 'a' }}
{{ 'a' % 1 }}
{{ '{} {} {{}} {0}'.format(1, 2) }}
{{ '{} {}'.format(1, 'a') }}{{ '{1}{0}'.format('a', 'b') }}{{ '{x} {y!r}'.format(x=1, y='q') }}{{ '{:>5}|{:<5}|{:^5}|{:*^7}|{:05d}|{:.2f}|{:,}|{:+d}|{:x}|{:e}|{:%}|{:.3}'.format('a', 'b', 'c', 'd', 42, 3.14159, 1234567, 5, 255, 12345.678, 0.25, 'abcdef') }}{{ '{0[0]} {m[b]}'.format([9], m=m) }}
{{ '{}'.format() }}
{{ '{a}'.format(b=1) }}
{{ '{'.format(1) }}
{{ n.bit_length() }}{{ f.is_integer() }}{{ (2.0).is_integer() }}
{{ n() }}
{{ none() }}
{{ -5 | abs }}{{ -2.5 | abs }}{{ 'x' | default('d') }}{{ '' | default('d', true) }}{{ no | default('d') }}{{ '' | d('e', boolean=true) }}
{{ '<a href="x">&\'' | escape }}{{ '<b>' | e | safe }}{{ '<' | safe ~ '<' }}{{ ('<' | escape) + '<' }}{{ '<' + ('<' | escape) }}{{ ['<'] | map('escape') | list }}
{{ '3' | int }}{{ '3.7' | int }}{{ 'x' | int }}{{ 'x' | int(5) }}{{ '0x1A' | int(0, 16) }}{{ '1a' | int(base=16) }}{{ 3.9 | int }}{{ -3.9 | int }}{{ none | int }}{{ ' 12 ' | int }}{{ '1_0' | int }}{{ true | int }}{{ '1e2' | int }}
{{ '3.5' | float }}{{ 'x' | float }}{{ 'x' | float(1.5) }}{{ 3 | float }}{{ '1e400' | float }}{{ 'nan' | float }}{{ ' 2 ' | float }}{{ none | float }}
{{ '%s: %s' | format('a', 1) }}{{ '%(x)s' | format(x=3) }}
{{ 2.5 | round }}{{ 3.5 | round }}{{ 2.675 | round(2) }}{{ 2.1 | round(0, 'ceil') }}{{ 2.19 | round(1, 'floor') }}{{ 7 | round }}{{ 1234.5 | round(-2) }}{{ 42 | round(2) }}
{{ 5 | string }}{{ 'é' | length }}{{ [1, 2] | count }}{{ none | string }}{{ nums | string | length }}
{{ 5 | length }}
{{ none | length }}
{{ 'aBC dé' | capitalize }}{{ 'aB' | lower }}{{ 'aß' | upper }}{{ "hello-world it's (foo) [bar] x_y" | title }}{{ 5 | upper }}{{ none | lower }}
{{ '  a ' | trim }}|{{ 'xax' | trim('x') }}|{{ 'aab' | replace('a', 'b', 1) }}{{ 5 | replace(5, 6) }}{{ 'a b' | replace(' ', '') }}
{{ 'a\nb\n\nc' | indent }}|{{ 'a\nb' | indent(2, true) }}|{{ 'a\n\nb' | indent(2, blank=true) }}|{{ 'a\nb' | indent('> ') }}|{{ '' | indent }}|{{ 'a\n' | indent }}
{{ 'ab' | center(6) }}|{{ 'foo bar baz qux' | truncate(9) }}|{{ 'foo bar baz qux' | truncate(9, true) }}|{{ 'foo bar baz qux' | truncate(11) }}|{{ 'foo bar baz qux' | truncate(11, false, '…', 0) }}
{{ "a b, c-d it's x_y" | wordcount }}{{ 'a b/c?é&' | urlencode }}{{ {'a': 1, 'b c': 'x/y'} | urlencode }}
{{ nums | first }}{{ nums | last }}{{ 'héé' | first }}{{ 'hé' | last }}{{ [] | first is defined }}{{ m | last }}
{{ nums | join(', ') }}{{ nums | join }}{{ rows | join('-', attribute='n') }}{{ 'abc' | join('.') }}{{ [1, none, 'x'] | join('/') }}
{{ 'abc' | list }}{{ m.a | items | list }}{{ (1, 2) | list }}
{{ words | sort }}{{ words | sort(case_sensitive=true) }}{{ nums | sort(reverse=true) }}{{ rows | sort(attribute='v') | map(attribute='n') | list }}{{ rows | sort(attribute='v,n') | map(attribute='n') | join }}
{{ [1, 'a'] | sort }}
{{ {'b': 1, 'A': 3, 'c': 2} | dictsort }}{{ {'b': 1, 'A': 3} | dictsort(true) }}{{ {'b': 1, 'A': 3} | dictsort(by='value', reverse=true) }}
{{ nums | reverse | list }}{{ 'aéb' | reverse }}{{ words | unique | list }}{{ nums | unique | list }}{{ words | unique(true) | list }}{{ rows | unique(attribute='v') | map(attribute='n') | list }}
{{ nums | min }}{{ nums | max }}{{ words | min }}{{ words | max }}{{ rows | max(attribute='v') }}{{ [] | max is defined }}{{ nums | sum }}{{ rows | sum(attribute='v') }}{{ [1.5, 2] | sum }}{{ nums | sum(start=10) }}
{{ nums | batch(3) | list }}{{ nums | batch(3, 0) | list }}{{ range(7) | slice(3) | list }}{{ range(7) | slice(3, 'x') | list }}
{% for g, items in rows | groupby('g') %}{{ g }}:{{ items | map(attribute='n') | join(',') }};{% endfor %}{% for x in rows | groupby('v') %}{{ x.grouper }}{{ x.list | length }}{% endfor %}
{{ words | map('upper') | list }}{{ rows | map(attribute='n') | join(',') }}{{ rows | map(attribute='zz', default='?') | list }}{{ words | map('replace', 'p', 'P') | list }}{{ [[1, 2], [3]] | map('sum') | list }}{{ [[1, 2], [3]] | map(attribute=0) | list }}{{ ['1', '2'] | map('int') | sum }}
{{ nums | select('odd') | list }}{{ nums | reject('odd') | list }}{{ nums | select('>', 1) | list }}{{ nums | select('in', [1, 2]) | list }}{{ [0, 1, ''] | select | list }}{{ rows | selectattr('v', 'equalto', 2) | map(attribute='n') | list }}{{ rows | rejectattr('v', 'eq', 2) | list | length }}{{ rows | selectattr('n') | list | length }}{{ rows | selectattr('zz', 'defined') | list }}
{% set g = nums | map('string') %}{{ g | list }}{{ g | list }}{% set g = nums | select %}{{ g | first }}{{ g | list }}
{{ nums | map('nosuch') | list }}
{{ 1 | nosuch }}
{% if false %}{{ 1 | nosuch }}{{ 1 is nosuch }}{% endif %}ok
{{ 1 is nosuch }}
{{ m.b | attr('real') if false }}{{ 5 is odd }}{{ 4 is even }}{{ 9 is divisibleby 3 }}{{ 9 is divisibleby(2) }}{{ 5 is not even }}
{{ n is number }}{{ t is number }}{{ n is integer }}{{ t is integer }}{{ f is float }}{{ n is float }}{{ t is boolean }}{{ 1 is boolean }}{{ t is true }}{{ 1 is true }}{{ false is false }}{{ none is none }}{{ no is none }}{{ s is string }}{{ 1 is string }}{{ m is mapping }}{{ l is mapping }}{{ l is sequence }}{{ s is sequence }}{{ m is sequence }}{{ n is sequence }}{{ l is iterable }}{{ n is iterable }}{{ range is callable }}{{ s is callable }}{{ 'a' is lower }}{{ 'A' is upper }}{{ 'Aa' is lower }}{{ s is sameas s }}{{ 1 is sameas true }}{{ none is sameas none }}{{ 'b' is in 'abc' }}{{ 1 is in [1] }}{{ 1 is eq 1 }}{{ 1 is lt(2) }}{{ 2 is ge 2 }}{{ ('<' | escape) is escaped }}{{ 'upper' is filter }}{{ 'odd' is test }}{{ 'zz' is filter }}
{{ 1 is defined }}{{ zz is defined }}{{ zz is undefined }}{{ m.zz is defined }}{{ m['zz'] is undefined }}{{ zz | default('d') }}{{ m.zz | default(1) }}{{ nums[9] is defined }}{{ none is defined }}
{{ zz }}
{{ zz.a }}
{{ zz.a.b | default('x') }}
{{ m.zz }}
{{ m.zz.y }}
{{ nums[9] }}
{{ nums[9] + 1 }}
{{ nums.foo.bar }}
{{ s.foo + 'a' }}
{{ none.foo.bar }}
{{ none.foo }}
{{ 5['a'].b }}
{{ zz + 1 }}
{{ zz ~ 'a' }}
{{ zz == 1 }}
{{ zz == yy }}
{{ not zz }}
{{ 'a' if zz else 'b' }}
{{ zz in [1] }}
{{ 'a' in zz }}
{{ zz | length }}
{{ zz | list }}
{{ zz | join }}
{{ zz | upper }}
{{ zz | trim }}
{{ zz | tojson }}
{{ zz | int }}
{{ zz | first is defined }}
{{ zz() }}
{{ zz['a'] }}
{{ zz < 1 }}
{{ -zz }}
{% for x in zz %}{% else %}none{% endfor %}
{{ [zz] }}
{{ [zz] | length }}
{{ zz is iterable }}
{{ zz is sequence }}
{{ zz is string }}{{ zz is none }}{{ zz is mapping }}
{{ ('a' if false) is defined }}
{{ ('a' if false) + 'b' }}
{{ m[zz] }}
{{ {zz: 1} | length }}
{% macro f(a) %}{{ a }}{{ a is defined }}{% endmacro %}{{ f() }}
{% macro f(a) %}{{ a + 1 }}{% endmacro %}{{ f() }}
{{ m | tojson }}{{ l | tojson }}{{ 1.0 | tojson }}{{ 1e20 | tojson }}{{ 'é\n\x01\x7f\u2028😀"\\/' | tojson }}{{ none | tojson }}{{ (1, 2) | tojson }}{{ big | tojson }}{{ {} | tojson }}{{ [] | tojson }}
{{ m | tojson(indent=2) }}{{ [] | tojson(indent=2) }}{{ {'a': [1, {'b': []}]} | tojson(indent=4) }}{{ [1] | tojson(indent=0) }}
{{ m.items() | tojson }}
{% block a %}x{{ n }}{% endblock %}{% block b scoped %}y{% endblock b %}
{% print 'a', 1 + 1 %}
{% if %}{% endif %}
{% if t %}
{% endif %}
{% for x in nums %}{% endif %}
{{ }}
{{ 1 + }}
{{ (1 }}
{{ 1) }}
{{ [1) }}
{{ 'a }}
{{ a b }}
{{ a.'b' }}
{{ 1 $ 2 }}
{% nosuch %}
{% set %}
{% set 1 = 2 %}
{% set true = 2 %}
{% macro f(a=1, b) %}{% endmacro %}
{{ f(a=1, 2) }}
{{ f(**m, 1) }}
{# open
{% raw %} open
{{ x is defined is none }}
{% call 5 %}{% endcall %}
{% else %}
{{ 'a' if }}
{{ '\x4' }}
{%
{{ {1, 2} }}
{{ {'a'} }}
{{ a.1.b }}
{{ s.strip().split(',')[-1].strip() | lower }}
{{ s.strip.foo }}
{{ 'a'.join(5) }}
{{ m.nosuch() }}
{{ namespace(1) }}
{{ dict(1) }}
{{ range() }}
{{ range('a') }}
{{ 'abc' | batch(0) | list }}
{% set x = [] %}{% for i in range(3) %}{% set x = x + [i] %}{% endfor %}{{ x }}
{{ not 1 == 2 }}{{ not 'a' in 'abc' }}{{ 1 if 2 > 1 and 3 > 2 or false else 0 }}{{ 2 + 3 * 4 ** 2 // 5 % 7 - 1 }}{{ 1 ~ 2 + 3 }}{{ 'a' ~ 'b' | upper }}{{ -2 ** 2 }}{{ 1 - -1 }}{{ 10 - 3 - 2 }}{{ 2 * 3 ~ 4 }}
{{ (nums | length) > 3 }}{{ nums | length > 3 }}{{ nums | length - 1 }}{{ s | trim | upper | length }}{{ 'a' in 'abc' | upper }}{{ n is odd and t is true }}{{ 1 + 2 | string | length }}
"""

TASK = r"""
{{question.strip()}}
Answer:

{{question.strip()}}\nA. {{choices.text[0]}}{% if choices.text|length > 3 %}\nD{% endif %}

{{choices.text}}
{{choices.label.index(answerKey.lstrip())}}
{{choices.label.index(answerKey)}}
{{answer.split('####')[-1].strip() if answer is defined else target}}
{{answer.split('### ')[-1].rstrip()}}
{{ 'ABCD'[n|int - 7] if n|string in '1234' else n }}
{{[s, f]}}
{{ s | regex_replace('l+', 'L') }}{{ s | regex_replace('(H)(.)', '\\2\\1') }}{{ s | regex_replace('(?P<x>o)', '[\\g<x>\\g<1>]', 1) }}{{ s | regex_replace('\\s', '') }}
{% set x = [1] %}{% if x.append(2) %}{% endif %}{{ x }}{{ x.pop() }}{{ x }}{% if x.extend([5, 6]) or x.insert(1, 9) %}{% endif %}{{ x }}
{% set d = {'a': 1} %}{% if d.update({'b': 2}) %}{% endif %}{{ d }}{{ d.setdefault('c', 3) }}{{ d.pop('a') }}{{ d }}
{{ raise_exception('x') }}
{% break %}
"""

CHAT = r"""
{{ raise_exception('No: "' ~ n ~ '"') }}
{% for x in nums %}{% if x == 2 %}{% break %}{% endif %}{{ x }}{% else %}never{% endfor %}{% for x in nums %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{{ loop.index }}{% endfor %}
{% generation %}a{{ n }}{% endgeneration %}b
{% generation %}
a
{% endgeneration %}
b
{% set x = [1] %}{{ x.append(2) }}
{{ m.update({}) }}
{{ x.__class__ }}
{{ s.__class__.__mro__ }}
{{ s.__len__() }}
{{ s['__class__'] }}
{{ m.pop('a') }}
{% set ns = namespace(_a=1) %}
{{ range(200000) | length }}
{{ {'b': 'é', 'a': [1.0]} | tojson(ensure_ascii=true) }}{{ {'b': 1, 'a': 2} | tojson(sort_keys=true) }}{{ {'b': [1, 2]} | tojson(separators=(',', ':')) }}{{ {'b': [1, 2]} | tojson(indent=1, separators=(' ,', ' : ')) }}{{ {1: 2, none: 3, true: 4, 1.5: 6} | tojson }}{{ [1] | tojson(indent='\t') }}{{ '😀' | tojson(true) }}
"""

# Both fail; what Python's own functions say of wrong arguments is not repeated.
FAIL = r"""
{{ s.strip(1) }}
{{ s.strip('a', 'b') }}
{{ s.strip(zz=1) }}
{{ range | tojson }}
{% include 'x' %}
{% extends 'x' %}
{% import 'x' as x %}
{% from 'x' import y %}
{{ s | batch }}
{{ s | trim(1, 2) }}
{{ nums | join(1, 2, 3) }}
{{ 1 is divisibleby }}
{{ 1 is odd(2) }}
{% set x = namespace(1, 2) %}
{{ s | indent(none) }}
{{ s.split(5) }}
{{ s.center(none) }}
{{ nums | sort(attribute='zz.y') }}
"""


def cases(text):
    """One case a line; an empty line stands inside of one, and so does what follows a line that ends inside a tag."""
    out = []
    block = None
    for line in text.strip("\n").split("\n"):
        if block is not None:
            block.append(line)
            if line == "" or line.startswith(" y ") or line.endswith(("' }}", "endif %}", "b")):
                out.append("\n".join(block))
                block = None
        elif line.endswith("\\") or line.startswith("  {% if t %}") or line in ('{% set x = "line1', "{% if t %}", "{% generation %}", "{{question.strip()}}", "Answer:"):
            block = [line]
        elif line:
            out.append(line)
    return out + (["\n".join(block)] if block else [])


def render(make, source):
    try:
        return {"text": make(source).render(**json.loads(json.dumps(VARS)))}
    except Exception as e:
        return {"error": str(e), "type": type(e).__name__}


def main():
    out = []
    for source in cases(BOTH) + ["a\n", "a\n\n", "{{ n }}\n", "a\r\nb\rc", "{% if t %}\r\nx{% endif %}\r\n", "", "\n"]:
        out.append({"source": source, "chat": render(_compile_jinja_template, source), "task": render(task_env.from_string, source)})
    for source in cases(TASK):
        out.append({"source": source, "task": render(task_env.from_string, source)})
    for source in cases(CHAT):
        out.append({"source": source, "chat": render(_compile_jinja_template, source)})
    for source in cases(FAIL):
        for make in (_compile_jinja_template, task_env.from_string):
            assert "error" in render(make, source), source
        out.append({"source": source, "fails": True})
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"vars": VARS, "cases": out}, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    print(OUT, len(out), "templates")


main()
