"""Small templates for the corners of Jinja: each is rendered by jinja2 as transformers sets it up.

EXPRESSIONS, FILTERS and TESTS hold expressions in lines, parted by bars; a cell that begins with the name of a filter
goes on with the one before it.
"""
import re

CONTEXT = {"s": "Hello World", "u": "Ünïcödé ß ΑΣ ŉ", "n": 7, "f": 2.5, "t": True, "z": None, "e": "",
       "l": [3, 1, 2], "d": {"b": 1, "a": "x", "C": None}, "words": ["beta", "Alpha", "gamma", "alpha"],
       "people": [{"name": "Ann", "age": 31, "city": {"n": "Rome"}}, {"name": "bob", "age": 25, "city": {"n": "Oslo"}},
                  {"name": "Cy", "age": 31}],
       "nested": {"a": {"b": [1, {"c": "deep"}]}}, "q": "it's \"quoted\"\n\t\\ \u200b é \U0001F600", "big": 18446744073709551615}

EXPRESSIONS = r'''
none|true|false|True|None
1|1.0|1e20|1e16|1e15|123456789012345678|0.1+0.2|1e-5|0.0001|1.5e300|100.0|-0.0|3.14159|1e22|123456.789e3
1_000|0x1F|0b101|0o17|1_0.5|007 is defined
"a" "b"|'a\'b'|"\x41\u00e9\n|"|'\q'|'\é'|"\101"|'tab\there'
[1,2.0,none,true,"a"]|{"a":"x"}|{"a":'it\'s'}|(1,)|(1,2)|()|[]|{}|{1:2,"x":[none]}|{true:1,1:2}|["\"", "'", "'\"", "\\", "\n", "é", "\u200b", "\x7f"]
q|[q]|u|[u]|big|big + 1|[e]|d|nested|people
x|x.y|x.y.z|x["a"]|x[0]|x()|x+1|x~1|x*2|-x|x==y|x!=1|x<1|x in [1]|1 in x|x and 1|x or 2|not x|x|default("d")|x|d(3)|x|length|x|list|x|upper|x|int|x|join|x|first|x|last|x is defined|x is undefined|x is none|x is string|x is iterable|x is sequence|x is mapping|x is number|x is callable|x[1:2]|[x]|"%s" % x|x|string|x|trim|x|sum|x|tojson|x|items|list|x.get("a")|(x|default({})).get("a")
d.a|d["a"]|d.items|d.missing|d.missing.x|d["missing"]["x"]|d.get("a")|d.get("zz")|d.get("zz", 5)|d.get("C", 5)|d.keys()|d.values()|d.items()|d.keys()|list|d.items()|list|d|items|list|d|list|d|length|d.items()|length|d.items()[0]|"a" in d|"zz" in d|"a" not in d|1 in d|[] in d|d.copy()|d.pop("a")|d.clear|d.clear()|d.update({})|d.setdefault|d.__class__|d.fromkeys([1,2])|dict(a=1)|dict({"x":1}, y=2)|dict([("a",1)])|dict.fromkeys("ab")
l[0]|l[-1]|l[5]|l[5].x|l["a"]|l[1.0]|l[true]|l[:2]|l[1:]|l[::-1]|l[::2]|l[-2:]|l[5:]|l[:-1]|l[2:0:-1]|l[::0]|l["a":]|l[none:2]|l.append(4)|l.append|l.count(1)|l.index(2)|l.index(9)|l.copy()|l.sort()|l+[4]|l*2|2*l|l==[3,1,2]|l<[3,2]|l<[3,1]|(1,2)<(1,3)|l + (1,)|l-1|l.0|l.5
s[0]|s[-1]|s[99]|s[1:4]|s[::-1]|s[::2]|u[1:5]|u[::-1]|u[-3:]|s[4:1:-1]|s["x"]|s.upper()|s.lower()|s.title()|s.capitalize()|s.swapcase()|u.upper()|u.lower()|u.title()|u.capitalize()|u.swapcase()|u.casefold()|s.strip()|"  a ".strip()|"xxaxx".strip("x")|"xyaxy".lstrip("xy")|"xyaxy".rstrip("xy")|"  a ".lstrip()|"  a ".rstrip()|"\u3000a\x1c".strip()
s.split()|s.split("o")|s.split("o", 1)|" a  b ".split()|" a  b ".split(" ")|"a,b,,c".split(",")|s.rsplit("o", 1)|" a b c ".rsplit(none, 1)|" a b c ".split(none, 1)|s.split("")|s.partition("o")|s.rpartition("o")|s.partition("zz")|s.rpartition("zz")|"a\nb\r\nc\x0bd\u2028e".splitlines()|"a\nb\n".splitlines(true)|"".split()|"".split(",")|"".splitlines()
s.startswith("He")|s.startswith(("x","H"))|s.endswith("ld")|s.startswith("e",1)|s.endswith("o",0,5)|s.startswith(1)|s.find("o")|s.find("o",5)|s.find("zz")|s.rfind("o")|s.index("o")|s.index("zz")|s.count("l")|s.count("")|u.find("ß")|s.find("",3)|s.find("",99)|s.replace("l","L")|s.replace("l","L",2)|"aaa".replace("","-")|"aaa".replace("","-",2)|"abc".replace("b","")|"".replace("","x")
s.isalpha()|"abc".isalpha()|"12".isdigit()|"²".isdigit()|"½".isnumeric()|"²".isdecimal()|"١٢".isdecimal()|"a1".isalnum()|" \t".isspace()|"".isspace()|"abc".islower()|"ABC1".isupper()|"Ab Cd".istitle()|"a_1".isidentifier()|"1a".isidentifier()|"\n".isprintable()|"é".isascii()|"".isascii()
"a".center(5)|"ab".center(5)|"ab".center(5,"*")|"abc".center(6,"-")|"a".ljust(3)|"a".rjust(3,".")|"7".zfill(3)|"-7".zfill(4)|"+".zfill(3)|"a\tb".expandtabs(4)|"-".join(["a","b"])|"-".join([1])|"".join(words)|",".join("abc")|"-".join(d)|"abc".removeprefix("a")|"abc".removesuffix("c")|"abc".removesuffix("x")|"a".join()|s.upper(1)|s.nosuch()|s.format|default(1) is callable
"{} {}".format(1,"a")|"{0}{1}{0}".format(1,2)|"{a}".format(a=3)|"{0[a]} {0.a}".format(d)|"{:>5}|".format("x")|"{:*^7}".format("mid")|"{:05d}".format(42)|"{:.2f}".format(3.14159)|"{:,}".format(1234567)|"{:x} {:X} {:#x} {:b} {:o}".format(255,255,255,5,8)|"{!r}".format("a'b")|"{{}}".format()|"{:+d}".format(3)|"{:e}".format(12345.678)|"{:g}".format(0.00001)|"{:%}".format(0.25)|"{:{}}".format("a",4)|"{}".format()|"{x}".format()|"{:d}".format("a")|"{:>4}".format(none)|"{}".format(none)|"{".format()|"}".format()|"{:.3}".format("abcdef")|"{:6.2f}|".format(2.5)|"{:_}".format(1234567)|"{:<06}".format(3)|"{0.__class__}".format(s)|"{:}".format(true)|"{:d}".format(true)
"%s and %s" % ("a", 1)|"%d" % 3.7|"%d" % "a"|"%5d|" % 42|"%-5d|" % 42|"%05d" % 42|"%+d" % 42|"%x %X %o" % (255,255,8)|"%#x" % 255|"%.2f" % 2.567|"%e" % 12345.678|"%g" % 0.0001|"%r" % "a'b"|"%%"|"%%" % ()|"%s" % [1,2]|"%s %s" % "a"|"%s" % ("a","b")|"%(a)s" % d|"%(a)s %(b)d" % d|"%(zz)s" % d|"%c" % 65|"%c" % "x"|"%5s|%-5s|" % ("a","b")|"%.2s" % "abc"|"%s" % none|"%i" % true|"%s" % {"a":1}|"%q" % 1|"%" % 1|"a" % 1|"%*d" % (5, 42)
1+1|1-2|2*3|7/2|7//2|-7//2|7%3|-7%3|7%-3|2**10|2**-1|2**0.5|(-2)**2|-2**2|2**3**2|1/0|1//0|1%0|1.5//0.4|1.5%0.4|-1.5%0.4|7.0//2|1e308*10|true+1|true+true|true*3|"a"+"b"|"a"+1|1+"a"|"a"*3|3*"a"|"a"*-1|"a"*1.5|[1]+[2]|[1]*2|none+1|{}+{}|"a"-"b"|-"a"|+"a"|-true|+true|not 1|not ""|--1|- 1|+1|1 if true|1 if false|(1 if false).x|1 if false else 2|"y" if 0 else "n"|1 if true else 2 if false else 3
1==1.0|1==true|"a"=="a"|"1"==1|none==false|[1]==[1]|[1]==(1,)|{"a":1}=={"a":1}|1!=2|1<2|2<=2|"a"<"b"|"a"<1|none<1|1<2<3|3>2>2|1<3>2|1 in [1,2]|"a" in "abc"|1 in "abc"|"" in "abc"|none in [none]|1 not in [2]|[1] in [[1]]|1.0 in [1]|true in [1]|"x" in none|1 in 2|1 == 1 == true|1 < 2 in [2]|not 1 in [1]|1 and 2|0 and 2|0 or "x"|"" or none|1 and 0 or 3|[] or {}
"a" ~ 1 ~ none ~ 2.5 ~ true|1 ~ 2|1 ~ 2 + 3|"a" ~ "b" * 2|[1] ~ {}|x ~ "a"
'''
FILTERS = r'''
n|abs|-3|abs|-2.5|abs|true|abs|"a"|abs|s|upper|s|lower|u|upper|u|title|s|capitalize|s|title|"foo bar-baz (qux) <a> [b]"|title|"it's"|title|s|length|u|length|n|length|l|count|none|length|l|first|l|last|s|first|s|last|[]|first|[]|last|{}|first|d|first|d|last|5|first|l|sum|[]|sum|[1.5,2]|sum|words|sum|[[1],[2]]|sum(start=[])|people|sum(attribute="age")|l|min|l|max|words|min|words|max|words|max(case_sensitive=true)|[]|min|people|max(attribute="age")|[1,"a"]|min
l|sort|l|sort(reverse=true)|words|sort|words|sort(case_sensitive=true)|words|sort(true)|people|sort(attribute="age")|people|sort(attribute="age,name")|map(attribute="name")|list|people|sort(attribute="city.n")|[1,"a"]|sort|[none,1]|sort|d|sort|"hello"|sort|d|dictsort|d|dictsort(true)|{"b":2,"a":3}|dictsort(false,"value")|{"b":2,"a":3}|dictsort(by="value",reverse=true)|d|dictsort(by="x")|[3]|dictsort
l|reverse|list|s|reverse|l|reverse|length|(1,2)|reverse|list|d|reverse|list|5|reverse|range(3)|reverse|list|words|unique|list|words|unique(true)|list|[1,1.0,true,"1"]|unique|list|[[1],[1]]|unique|list|people|unique(attribute="age")|map(attribute="name")|list|range(7)|batch(3)|list|range(7)|batch(3,"x")|list|range(7)|slice(3)|list|range(7)|slice(3,"x")|list|range(7)|slice(0)|list|[]|batch(2)|list
l|join|l|join(",")|words|join(", ")|people|join(",",attribute="name")|"abc"|join("-")|[none,1.0,true]|join("|")|5|join|x|join(",")|d|join(",")|l|list|s|list|d|list|5|list|none|list|range(3)|list|range(2,8,3)|list|range(5,0,-2)|list|range(0)|list|range(1.5)|range("a")|range(3)|range(3)|string|range(1,5,2)|range(3)[1]|range(10)[2:5]|range(10)[::-1]|range(3)|length|2 in range(3)|range(3) == range(3)|range(1,2,0)
words|map("upper")|list|words|map("length")|list|words|map("replace","a","A")|list|people|map(attribute="name")|list|people|map(attribute="city.n")|list|people|map(attribute="city.n",default="?")|list|people|map(attribute="zz")|list|words|map("nosuch")|list|words|map()|list|words|map|string is string|none|map("upper")|list|[[1,2],[3]]|map("sum")|list|[[1,2]]|map(attribute=0)|list|[[1,2]]|map(attribute="1")|list|words|map("upper")|length|words|map("upper")|join(",")|words|map("upper")|first|words|map("upper")|last|words|map("default", "x")|list|["a b"]|map("split")|list
[1,2,3,4]|select("odd")|list|[1,2,3,4]|select("even")|list|[1,2,3,4]|reject("odd")|list|[1,2,3,4]|select(">", 2)|list|[1,2,3,4]|select("divisibleby", 2)|list|[0,1,"",none,"a"]|select|list|[0,1,"",none,"a"]|reject|list|["a",1,none]|select("string")|list|people|selectattr("city")|map(attribute="name")|list|people|selectattr("age","==",31)|map(attribute="name")|list|people|rejectattr("age","equalto",31)|map(attribute="name")|list|people|selectattr("city","defined")|list|length|people|selectattr("city.n","eq","Rome")|list|length|people|selectattr("name","in",["Ann"])|list|length|people|rejectattr("city")|map(attribute="name")|first|people|selectattr()|list|people|selectattr("x.y")|list|[1]|select("nosuch")|list|none|select|list|5|select|list|people|groupby("age")|people|groupby("age")|length|people|groupby("city.n", default="none")|map("first")|list|people|groupby("name")|map(attribute="grouper")|list|words|groupby(0)|list
x|default("a")|""|default("a")|""|default("a",true)|none|default("a")|none|default("a",boolean=true)|0|d("z",true)|x.y|default("a")|d.missing|default("a")|x|default|"42"|int|"42.9"|int|" 42 "|int|"x"|int|"x"|int(7)|"x"|int(default=none)|3.9|int|-3.9|int|none|int|true|int|"0x1F"|int(0,16)|"ff"|int(base=16)|"0b11"|int(0,2)|"1_000"|int|"1e3"|int|"inf"|int|[]|int|[]|int(3)|"3.5"|float|"x"|float|"x"|float(1.5)|none|float|3|float|"1e5"|float|"nan"|float|"inf"|float|"١٢"|int|"-5"|int|"+5"|int|"--5"|int|""|int
2.5|round|3.5|round|2.567|round(2)|2.567|round(1,"floor")|2.511|round(1,"ceil")|42|round|42|round(-1)|45|round(-1)|1234.5|round(-2)|2.5|round(method="ceil")|"a"|round|2.5|round(1,"bad")|none|round|2.675|round(2)|1e20|round|-2.5|round|0.5|round|1.5|round|2.5|round|int
s|replace("l","L")|s|replace("l","L",1)|n|replace("7","8")|s|replace(1,2)|"a"|replace|"  a "|trim|"xax"|trim("x")|n|trim|none|trim|s|center(21)|"a\nb\n\nc"|indent|"a\nb\n\nc"|indent(2)|"a\nb\n\nc"|indent(2,true)|"a\nb\n\nc"|indent(2,true,true)|"a\nb"|indent("> ")|"a\nb"|indent(width=1,first=true)|""|indent|n|indent|"a\r\nb"|indent(1)|"a\n"|indent(1)|"foo bar baz qux"|truncate(9)|"foo bar baz qux"|truncate(9,true)|"foo bar baz qux"|truncate(11)|"foo bar baz qux"|truncate(11,false,"...",0)|"foo bar baz qux"|truncate(2)|"foo"|truncate(3,leeway=0)|u|truncate(5,true,"",0)|"a b  c"|wordcount|u|wordcount|n|string|none|string|[1]|string|s|string|"%s-%s"|format("a",1)|"%(a)s"|format(a=1)|"%s"|format(1,a=2)|"a b/c?d=é&"|urlencode|{"a b":"c&d"}|urlencode|[("a",1)]|urlencode|n|urlencode|1000|filesizeformat|1|filesizeformat|1500000|filesizeformat|1024|filesizeformat(true)|"2048"|filesizeformat(binary=true)|999|filesizeformat|1e30|filesizeformat
"<a>"|safe|"<a>"|e|"<a>&'\""|escape|("<a>"|safe)+"<b>"|"<b>"+("<a>"|safe)|("<a>"|safe)~"<b>"|"<a>"|safe|e|"<a>"|safe|forceescape|"<a>"|safe|upper|["<a>"|safe]|("a"|safe) is escaped|"a" is escaped|"a"|safe is string|("%s"|safe) is string|s|attr("upper") is callable|d|attr("a")|d|attr("items") is callable|d|attr("a") is undefined
d|tojson|l|tojson|people|tojson|nested|tojson(indent=2)|q|tojson|u|tojson|u|tojson(ensure_ascii=true)|q|tojson(true)|[]|tojson(indent=2)|{}|tojson(indent=2)|[[],{}]|tojson(indent=1)|{"b":1,"a":[1,2]}|tojson(sort_keys=true)|{"b":1,"a":[1,2]}|tojson(indent=4,sort_keys=true)|d|tojson(separators=(",",":"))|d|tojson(indent="\t")|d|tojson(indent=0)|none|tojson|true|tojson|1.0|tojson|1e20|tojson|0.1|tojson|"</script>"|tojson|("a",1)|tojson|{1:2,none:3,true:4,1.5:5}|tojson|x|tojson|range(3)|tojson|d.items()|tojson|"é\u2028\x7f\x01"|tojson|"inf"|float|tojson|{"a":1,1:2}|tojson(sort_keys=true)|big|tojson|[{"a":{"b":[]}}]|tojson(indent=2)|{(1,2):3}|tojson|l|tojson(2)|d|tojson(nosuch=1)
'''
TESTS = r'''
1 is odd|2 is even|2 is odd|3 is divisibleby 3|3 is divisibleby(2)|1.0 is odd|"a" is odd|none is none|0 is none|true is boolean|1 is boolean|true is true|1 is true|false is false|0 is false|1 is integer|true is integer|1.0 is integer|1.0 is float|1 is float|1 is number|true is number|"1" is number|"a" is string|1 is string|{} is mapping|[] is mapping|[] is sequence|"a" is sequence|{} is sequence|1 is sequence|range(2) is sequence|d.items() is sequence|[] is iterable|"a" is iterable|1 is iterable|none is iterable|{} is iterable|d.items() is iterable|"abc" is lower|"ABC" is upper|"aB" is lower|"" is lower|1 is lower|none is sameas none|1 is sameas 1|1 is sameas true|s is sameas s|[] is sameas []|1 is in [1]|"a" is in "abc"|1 is not in [1]|1 is eq 1|1 is equalto 1|1 is ne 2|1 is lt 2|1 is lessthan 2|2 is gt 1|2 is greaterthan 1|1 is le 1|1 is ge 1|1 is not odd|x is not defined|"upper" is filter|"nosuch" is filter|"odd" is test|"nosuch" is test|range is callable|1 is callable|s.upper is callable|not x is defined|1 is odd and 2 is even|1 is odd is odd|1 is nosuch|s is nosuch if false else 3|1 if s is nosuch else 3|s|nosuch if false else 4|-1 is odd|1 + 1 is even|"a" in s is string|s is defined and s|d.a is defined|d.zz is defined|x.y is defined|d["a"] is string|s is string == true|1 is number and "x" or "y"|s|length is odd|n is divisibleby n|n is eq(7)|n is in(l)|n is "eq"|n is eq|none is not none|t is true|t is sameas true
'''

STATEMENTS = [
    'a\n{% if true %}\nb\n{% endif %}\nc\n',
    'a\n\n{% if true %}\n\nb\n\n{% endif %}\n\nc\n\n',
    '  {% if true %}  \n  b  \n  {% endif %}  \nc',
    'x {% if true %} y {% endif %} z',
    'a  {%- if true -%}  b  {%- endif -%}  c',
    'a  {%+ if true +%}  \n b  {%+ endif %}\n c',
    '{{- 1 -}}  x  {{- 2 }}',
    ' {{ 1 }} \n {{ 2 }}\n',
    'a {# c #} b\n{# d #}\ne',
    'a {#- c -#} b',
    '{# multi\nline #}x',
    '  {# lead #}\nx',
    '{#+ c +#}\nx',
    '{% raw %}{{ x }}{% y %}{% endraw %}z',
    'a {%- raw -%} {{ x }} {%- endraw -%} b',
    '{% raw %}\nq\n{% endraw %}\nr',
    '  {% raw %} a {% endraw %}\n b',
    '{% raw %}a',
    '{# a',
    "{{ 'a' }",
    '{{ 1',
    '{% if %}',
    '{% if 1 %}',
    '{% endif %}',
    '{% nosuch %}',
    '{% else %}',
    '{{ }}',
    '{{ 1 2 }}',
    '{{ (1 }}',
    '{{ 1) }}',
    '{{ [1}} ]',
    "{{ {'a':{'b':1}} }}",
    "{{ {'a':{'b':1}}}}",
    '\r\na\r\nb\r',
    'a\n',
    'a\n\n',
    '\n',
    '',
    "{{ 'a\nb' }}",
    "{{ 'a\r\nb' }}",
    'tab\t{% set a = 1 %}\nx',
    '{% for i in [1,2,3] %}{{ i }}{% if not loop.last %},{% endif %}{% endfor %}',
    '{% for i in [] %}{{ i }}{% else %}none{% endfor %}',
    '{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}',
    '{% for k in d %}{{ k }}{% endfor %}',
    '{% for c in u %}{{ c }}.{% endfor %}',
    '{% for i in x %}a{% else %}b{% endfor %}',
    '{% for i in 5 %}{% endfor %}',
    '{% for i in none %}{% endfor %}',
    '{% for i in [1,2,3,4] if i is odd %}{{ i }}{{ loop.index }}{{ loop.last }}{{ loop.length }}{% endfor %}',
    '{% for i in [1,2] if false %}x{% else %}e{% endfor %}',
    "{% for i in [1,2,3] %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('a','b') }}{{ loop.changed(i > 1) }};{% endfor %}",
    '{% for i in [1,2,3] %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }}{% endfor %}',
    '{% for i in l %}{{ loop }}{% break %}{% endfor %}',
    '{% for i in [1,2] %}{{ loop.nosuch }}|{% endfor %}',
    '{% for i in [1,2] %}{{ loop.nosuch.x }}{% endfor %}',
    '{% for i in range(5) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %}',
    '{% for i in [1,2] %}{% continue %}{% else %}else{% endfor %}',
    '{% for i in [1,2] %}{% break %}{% else %}else{% endfor %}',
    '{% for i in [1,2] %}{% if i == 2 %}{% break %}{% endif %}{% else %}else{% endfor %}',
    '{% break %}',
    '{% if true %}{% continue %}{% endif %}',
    '{% for i in [1,2] %}{% macro f() %}{% break %}{% endmacro %}{% endfor %}',
    '{% for i in [1,2,3] %}{% set x %}{{ i }}{% if i == 2 %}{% break %}{% endif %}{% endset %}[{{ x }}]{% endfor %}',
    '{% for i in [1,2,3] %}{% filter upper %}a{{ i }}{% if i == 2 %}{% continue %}{% endif %}b{% endfilter %}{% endfor %}',
    '{% for a, b in [[1,2],[3,4]] %}{{ a }}{{ b }}{% endfor %}',
    '{% for a, b in [[1,2,3]] %}{% endfor %}',
    '{% for a, b in [1] %}{% endfor %}',
    '{% for a, (b, c) in [[1,[2,3]]] %}{{ a }}{{ b }}{{ c }}{% endfor %}',
    '{% for (a, b) in [[1,2]] %}{{ a }}{% endfor %}',
    "{% for a, b in ['xy'] %}{{ a }}-{{ b }}{% endfor %}",
    '{% for i in [1,[2,[3]]] recursive %}{% if i is iterable %}<{{ loop(i) }}>{% else %}{{ i }}@{{ loop.depth }}{% endif %}{% endfor %}',
    '{% for i in [1,2] %}{{ loop(i) }}{% endfor %}',
    "{% for n in [{'v':1,'c':[{'v':2,'c':[]}]}] recursive %}{{ n.v }}{{ loop(n.c) }}{{ loop.index }}{% else %}-{% endfor %}",
    '{% for i in [1,2] %}{% for j in [3,4] %}{{ loop.index }}{{ i }}{{ j }} {% endfor %}{{ loop.index }};{% endfor %}',
    '{% for i in [1,2] %}{% set outer = loop %}{% for j in [3] %}{{ outer.index }}{% endfor %}{% endfor %}',
    "{% for i in [1,2,3]|map('string') %}{{ i }}{{ loop.last }}{{ loop.length }}{% endfor %}",
    '{% for i in [3,1,2]|sort|reverse %}{{ i }}{% endfor %}',
    "{% for i in 'ab' ~ 'c' %}{{ i }}{% endfor %}",
    '{% for i in [1,2] + [3] %}{{ i }}{% endfor %}',
    '{% for i in 1, 2 %}{{ i }}{% endfor %}',
    '{% for i in ([1] if t else [2]) %}{{ i }}{% endfor %}',
    '{% set a = 1 %}{% for i in [1,2] %}{% set a = a + i %}{{ a }}{% endfor %}{{ a }}',
    '{% for i in [1] %}{% set q2 = 3 %}{% endfor %}{{ q2 is defined }}',
    '{% if true %}{% set a = 5 %}{% endif %}{{ a }}',
    '{% if false %}{% set s = 5 %}{% endif %}{{ s }}',
    '{% for i in [1,2] %}{% if i == 1 %}{% set s = i %}{% endif %}{{ s }}{% endfor %}{{ s }}',
    '{% for i in [1] %}{{ s }}{% endfor %}{% set s = 2 %}{{ s }}',
    '{{ s }}{% for i in [1] %}{{ s }}{% endfor %}{% set s = 2 %}{{ s }}',
    '{% set s = s|upper %}{{ s }}',
    '{% set i = 9 %}{% for i in [1,2] %}{% endfor %}{{ i }}',
    '{% for i in [1,2] %}{% endfor %}{{ i }}',
    '{% set a, b = 1, 2 %}{{ a }}{{ b }}',
    '{% set a, b = [1] %}',
    '{% set (a, b) = (1, 2) %}{{ b }}',
    '{% set a = 1, 2 %}{{ a }}',
    '{% set loop = 1 %}{{ loop }}',
    '{% for i in [1] %}{% set loop = 1 %}{% endfor %}',
    '{% set true = 1 %}',
    '{% set 1 = 1 %}',
    '{% set a.b = 1 %}',
    '{% set d.b = 1 %}',
    '{% set a = b = 1 %}',
    '{% set a %}x{{ 1 }}y{% endset %}{{ a }}{{ a|length }}',
    "{% set a | upper %}x{{ 'q' }}{% endset %}{{ a }}",
    "{% set a | replace('x','y') | upper %}xx{% endset %}{{ a }}",
    '{% set a | length %}abc{% endset %}{{ a + 1 }}',
    '{% set a %}{% set b = 1 %}{{ b }}{% endset %}{{ a }}{{ b is defined }}',
    '{% set a -%}  x  {%- endset %}[{{ a }}]',
    "{% set ns = namespace(a=1, b='x') %}{{ ns.a }}{{ ns['b'] }}{{ ns.c }}{{ ns.c is defined }}{% set ns.c = [1] %}{{ ns.c }}",
    "{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }}",
    '{% set ns = namespace() %}{% for i in [1,2] %}{% set ns.v = i %}{% endfor %}{{ ns.v }}',
    '{% set ns = namespace(a=1) %}{{ ns }}',
    '{% set ns = namespace(_a=1) %}',
    '{% set ns = namespace() %}{% set ns._a = 1 %}',
    '{% set ns = namespace(a=1) %}{{ ns.a.b.c }}',
    '{% set ns = namespace(a=0) %}{% macro f() %}{% set ns.a = ns.a + 1 %}{% endmacro %}{{ f() }}{{ f() }}{{ ns.a }}',
    '{% set ns = namespace(a=1, b=2) %}{% set ns.a, ns.b = ns.b, ns.a %}{{ ns.a }}{{ ns.b }}',
    '{{ namespace(a=1) == namespace(a=1) }}',
    '{{ namespace(1) }}',
    "{% set ns = namespace(x=1) %}{{ 'x' in ns }}",
    '{% set ns = namespace(x=1) %}{{ ns is mapping }}{{ ns is iterable }}{{ ns.items() }}',
    '{% macro f(a, b=2, *c) %}{% endmacro %}',
    '{% macro f(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ f(1) }}{{ f(1, 3) }}{{ f(b=5, a=4) }}{{ f() }}',
    '{% macro f(a) %}{{ a is defined }}{% endmacro %}{{ f() }}',
    '{% macro f(a) %}{{ a.x }}{% endmacro %}{{ f() }}',
    '{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}',
    '{% macro f(a) %}{% endmacro %}{{ f(z=2) }}',
    '{% macro f(a) %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, 3, z=4) }}',
    '{% macro f() %}{{ caller() }}{% endmacro %}{% call f() %}body{% endcall %}',
    '{% macro f() %}{{ caller(1, 2) }}{% endmacro %}{% call(a, b=5) f() %}{{ a }}{{ b }}{% endcall %}',
    '{% macro f() %}{{ caller() }}{% endmacro %}{{ f() }}',
    '{% macro f() %}{% if caller %}y{{ caller() }}{% else %}n{% endif %}{% endmacro %}{{ f() }}{% call f() %}b{% endcall %}',
    '{% macro f(x) %}{{ x }}{% endmacro %}{% call f(1) %}b{% endcall %}',
    '{% macro f(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ f(1) }}',
    '{% macro f(a=b, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ f() }}',
    '{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}',
    '{{ f(1) }}{% macro f(n) %}{{ n }}{% endmacro %}',
    "{% macro f() %}{{ s }}{% endmacro %}{% set s = 'changed' %}{{ f() }}",
    '{% macro f() %}{{ y2 }}{% endmacro %}{% set y2 = 1 %}{{ f() }}',
    "{% macro f() %}{% set s = 'in' %}{{ s }}{% endmacro %}{{ f() }}{{ s }}",
    '{% macro f(a) %}{{ a }}{% endmacro %}{{ f.name }}{{ f.arguments }}{{ f.caller }}',
    "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1)|upper ~ f('x') }}{{ f(2) is string }}",
    '{% for i in [1,2] %}{% macro f() %}{{ i }}{% endmacro %}{{ f() }}{% endfor %}',
    '{% macro f(a, b) %}{% endmacro %}{% macro g(a=1, b) %}{% endmacro %}',
    '{% macro outer() %}{% macro inner() %}i{{ s }}{% endmacro %}{{ inner() }}{% endmacro %}{{ outer() }}',
    '{% if t %}{% macro f() %}A{% endmacro %}{% else %}{% macro f() %}B{% endmacro %}{% endif %}{{ f() }}',
    '{% macro f(**k) %}{% endmacro %}',
    '{% macro f(a, a) %}{% endmacro %}',
    "{% macro f(a) %}{{ a }}{% endmacro %}{{ [1,2]|map('f')|list }}",
    "{% macro f(x, y) %}{{ x }}{{ y }}{% endmacro %}{{ f(*[1, 2]) }}{{ f(**{'x': 1, 'y': 2}) }}{{ f(1, *[2]) }}{{ f(1, **{'y': 3}) }}",
    '{% call range(3) %}{% endcall %}',
    '{% call s %}{% endcall %}',
    "{% macro t2() %}{{ caller('a') }}{% endmacro %}{% for i in [1,2] %}{% call(x) t2() %}{{ x }}{{ i }}{{ loop.index }}{% endcall %}{% endfor %}",
    '{% macro f(kwargs) %}{{ kwargs }}{% endmacro %}{{ f(1) }}',
    '{% macro f(caller) %}{{ caller }}{% endmacro %}{{ f(1) }}',
    '{% filter upper %}a{{ s }}{% endfilter %}',
    "{% filter replace('a', 'b') | upper %}aaa{% endfilter %}",
    '{% filter indent(2) %}a\nb{% endfilter %}',
    '{% filter length %}abc{% endfilter %}',
    '{% filter nosuch %}a{% endfilter %}',
    '{% filter upper %}{% set zz = 1 %}{{ zz }}{% endfilter %}{{ zz is defined }}',
    '{% filter trim %} {% for i in [1,2] %}{{ i }} {% endfor %}{% endfilter %}|',
    '{% with a=1, b=2 %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}',
    '{% with %}{% set s = 1 %}{{ s }}{% endwith %}{{ s }}',
    '{% set a = 1 %}{% with a=2, b=a %}{{ a }}{{ b }}{% endwith %}{{ a }}',
    '{% with a, b = 1, 2 %}{{ a }}{% endwith %}',
    '{% with s = s|upper %}{{ s }}{% endwith %}{{ s }}',
    '{% generation %}a{{ s }}{% endgeneration %}b',
    '{% for i in [1,2] %}{%- generation -%} {{ i }}{{ loop.index }} {%- endgeneration -%}{% endfor %}',
    '{% generation %}{% set s = 1 %}{{ s }}{% endgeneration %}{{ s }}',
    '{% for i in [1] %}{% generation %}{% break %}{% endgeneration %}{% endfor %}',
    '{% generation %}x',
    '{%- generation %}a\n{%- endgeneration %}\nb',
    "{{ raise_exception('no ' ~ n) }}",
    "{% if n > 5 %}{{ raise_exception('big') }}{% endif %}",
    '{{ raise_exception() }}',
    '{{ raise_exception(1) }}',
    "{{ strftime_now('%Y-%m-%d %H:%M') }}",
    "{{ strftime_now('%d %b %Y') }}",
    "{{ strftime_now('%A %B %j %y %%') }}",
    "{{ strftime_now('') }}",
    '{{ strftime_now(1) }}',
    '{% print 1 %}',
    '{% print 1, 2 %}',
    '{% if 1: %}a{% endif %}',
    '{% for i in [1]: %}{{ i }}{% endfor %}',
    '{% if n == 7 %}a{% elif n == 8 %}b{% else %}c{% endif %}',
    '{% if n == 8 %}a{% elif n == 7 %}b{% else %}c{% endif %}',
    '{% if n == 8 %}a{% elif n == 9 %}b{% else %}c{% endif %}',
    '{% if 0 %}{% elif 1 %}b{% elif 1 %}c{% endif %}',
    '{% if 1, 0 %}t{% endif %}',
    '{% if x %}a{% else %}b{% endif %}',
    '{% if x.y %}a{% endif %}',
    '{% if d.zz and d.zz.y %}a{% else %}b{% endif %}',
    '{% if not x %}a{% endif %}',
    '{% elif 1 %}',
    "{% set c = cycler('a','b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() }}{{ c.current }}",
    '{{ cycler() }}',
    "{% set j = joiner('|') %}{% for i in [1,2,3] %}{{ j() }}{{ i }}{% endfor %}",
    '{% set j = joiner() %}{{ j() }}a{{ j() }}b',
    '{{ s|nosuch }}',
    '{% if false %}{{ s|nosuch }}{% endif %}ok',
    '{% if true %}{{ s|nosuch }}{% endif %}',
    '{% if false %}{% for i in [1] %}{{ s|nosuch }}{% endfor %}{% endif %}',
    '{{ s is nosuch }}',
    '{% if false %}{{ s is nosuch }}{% endif %}ok',
    "{{ [1,2,3]|map('string')|join(',')|upper }}",
    "{% set it = [1,2,3]|map('string') %}{{ it|first }}{{ it|list }}{{ it|list }}",
    '{% set it = d|items %}{% for k, v in it %}{{ k }}{% endfor %}{% for k, v in it %}{{ k }}{% endfor %}',
    '{% set it = 5|items %}ok',
    '{{ 5|items|list }}',
    "{% set it = [1]|map('nosuch') %}ok",
    "{{ ([1,2]|select('odd')) is iterable }}{{ ([1]|map('string')) is sequence }}{{ [1]|map('string')|length }}",
    '{{ ([]|select) and 1 }}',
    '{% if []|select %}gen{% endif %}',
    '{{ messages }}',
    '{{ messages is none }}{{ tools is none }}{{ tools is defined }}{{ documents }}{{ add_generation_prompt }}',
    '{% if not bos_token is defined %}nobos{% endif %}{{ bos_token }}',
    '{{ varargs is defined }}',
    '{{ caller is defined }}',
    '{{ loop is defined }}',
    "{{ dict(a=1)['a'] }}",
    '{{ dict(1) }}',
    '{{ dict([1]) }}',
    '{{ lipsum is defined }}',
    '{{ range is defined }}{{ namespace is defined }}{{ joiner is defined }}',
    "{{ [1,2,3][1:][0] }}{{ 'abc'[1:][::-1] }}",
    '{{ (1,2,3)[1:] }}{{ (1,2).count(1) }}{{ (1,2).index(2) }}',
    '{{ l[1:2, 1] }}',
    '{{ l[1, 2] }}',
    "{{ nested.a.b[1].c }}{{ nested['a']['b'][0] }}{{ nested.a.b.1.c }}",
    '{{ nested.a.zz.c }}',
    '{{ s.a.b }}',
    '{{ 5.5.x }}',
    '{{ 5 .x is defined }}',
    '{{ n.real }}{{ n.imag }}',
    '{{ none.x }}',
    '{{ none.x.y }}',
    "{{ none['x'] }}|{{ none[0] }}|{{ 5[0] }}",
    '{{ z[1:] }}',
    '{{ d[1:] }}',
    '{{ d[[]] }}|',
    '{{ {[]: 1} }}',
    "{{ {'a': 1, 'a': 2} }}",
    '{{ {**d} }}',
    '{{ [*l] }}',
    '{{ l if l else 0 }}',
    "{{ 1 if x is defined else 'u' }}",
    "{{ (x or 'a') ~ 'b' }}",
    '{{ s and s[0] }}',
    '{{ s is string and s is not mapping }}',
    '{{ 1if 1else 2 }}',
    '{{ 1.e }}',
    '{{ .5 }}',
    '{{ 1..real }}',
    "{{ 'a'.b.c }}",
    '{{ a.b }}',
    '{{ "a" \'b\' }}',
    '{{ a! }}',
    '{{ a ? b }}',
    '{{ `a` }}',
    '{{ a; b }}',
    "{{ 'abc }}",
    '{{ $ }}',
    '{{ ünï }}',
    '{% set ünï = 1 %}{{ ünï }}',
    '{{ 1 not in [1] }}',
    '{{ not in }}',
    '{{ 1 is not }}',
    '{{ a is }}',
    '{{ |upper }}',
    '{{ s| }}',
    '{{ s|upper|lower|title }}',
    '{{ s|upper() }}',
    '{{ s.upper().lower().title() }}',
    '{{ -s|length }}',
    '{{ -1|abs }}',
    '{{ 1 - -1 }}',
    '{{ 2 * 3 + 4 ~ 5 }}',
    "{{ 'a' in ['a'] and 'b' not in ['a'] }}",
    '{{ not not 1 }}',
    '{{ not 1 == 2 }}',
    '{{ 1 if 0 }}|',
    "{{ 'x' if 0 else '' }}|",
    "{{ (s|length > 3) and 'long' or 'short' }}",
    '{{ a + x | trim + b }}',
    "{{ s + ' x ' | trim + '!' }}",
]


def cells(line: str, filters: set[str]) -> list[str]:
    """The expressions of a line."""
    parts, depth, quote, now, i = [], 0, None, "", 0
    while i < len(line):
        c = line[i]
        if quote:
            if c == "\\" and i + 1 < len(line):
                now += c
                i += 1
                c = line[i]
            elif c == quote:
                quote = None
        elif c in "\"'":
            quote = c
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        if c == "|" and depth == 0 and not quote:
            parts.append(now)
            now = ""
        else:
            now += c
        i += 1
    out = []
    for part in [*parts, now]:
        name = re.match(r"[A-Za-z_]+", part)
        goes_on = out and name and name.group() in filters and part != "d"
        if goes_on:
            out[-1] += "|" + part
        else:
            out.append(part)
    return out


def snippets(filters) -> list[str]:
    """All small templates, none twice."""
    names = set(filters) | {"nosuch"}
    out = [
        "{{ " + cell + " }}"
        for block in (EXPRESSIONS, FILTERS, TESTS)
        for line in block.strip("\n").split("\n")
        for cell in cells(line, names)
    ]
    return list(dict.fromkeys(out + STATEMENTS))
