"""Read classes and functions from source text into the values of :mod:`codegen.text.classes`."""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence
from dataclasses import replace

from codegen.text.classes import Base, Class, Function, Parameter, Parameters, is_docstring
from codegen.text.lexer import Lexed, Region, lex
from codegen.text.lines import LineMap
from codegen.text.statements import Statement, first_line, split_block

_BRACKETS = {"(": ")", "[": "]", "{": "}"}


def parse_class(text: str) -> tuple[Class, Lexed]:
    """Read the source of one class (leading lines included, not indented)."""
    node = next(item for item in ast.parse(text).body if isinstance(item, ast.ClassDef))
    lexed, lines = lex(text), LineMap(text)
    outer, _ = split_block(lines, [node], 1, len(lines.starts) - 1)
    reader = Reader(text, lexed, lines)
    header_end = reader.header_end(node.lineno, node.name)
    last = lines.line_at(max(outer[0].end - 1, 0))
    members, _ = reader.block(node.body, header_end, last)
    docstrings: list[Statement] = []
    attributes: dict[str, Statement] = {}
    methods: dict[str, Function] = {}
    repeated: list[tuple[str, int]] = []
    others: list[int] = []
    for index, member in enumerate(members):
        item = member.node
        if is_docstring(member):
            docstrings.append(member)
        elif isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)):
            function = reader.function(member)
            if function.name in methods and not function.decorators:
                repeated.append((function.name, item.lineno))
            _file_method(methods, function)
        elif isinstance(item, ast.Assign):
            attributes[_attribute_key(item, index)] = member
        elif isinstance(item, ast.AnnAssign):
            attributes[ast.unparse(item.target)] = member
        elif not isinstance(item, ast.Pass) and not _is_constant(item):
            others.append(member.line)
    result = replace(
        class_head(reader, node),
        lead=outer[0].lead,
        docstrings=tuple(docstrings),
        attributes=tuple(attributes.items()),
        methods=tuple(methods.items()),
        repeated=tuple(repeated),
        others=tuple(others),
    )
    return result, lexed


def class_head(reader: Reader, node: ast.ClassDef) -> Class:
    """Decorators, name, bases and keywords of a class."""
    decorators, after = reader.decorators(node)
    bases = tuple(
        Base(reader.cut(base), isinstance(base, ast.Name), _is_dotted(base)) for base in node.bases
    )
    keywords = tuple(reader.cut(keyword) for keyword in node.keywords)
    generic = reader.type_parameters(node)
    return Class(node.name, "", decorators, after, bases, keywords, generic, (), (), ())


def functions_inside(text: str, names: Collection[str]) -> list[tuple[Region, Function]]:
    """The functions of these names inside a method, and where they stand in its ``text``."""
    opening = "if True:\n"
    whole = opening + text
    block = ast.parse(whole).body[0]
    assert isinstance(block, ast.If)
    reader = Reader(whole, lex(whole), LineMap(whole))
    found = []
    for node in ast.walk(block):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or node in block.body:
            continue
        if node.name in names:
            start = reader.lines.start_of(first_line(node))
            end = reader.lines.end_of(node.end_lineno or node.lineno)
            statement = Statement("", whole[start:end], (node,), start, end)
            place = (start - len(opening), end - len(opening))
            found.append((place, reader.function(statement)))
    return sorted(found, key=lambda item: item[0])


def _is_constant(node: ast.stmt | None) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _file_method(methods: dict[str, Function], function: Function) -> None:
    """File a method by name; of two with one name, the property keeps the plain key."""
    if function.name not in methods:
        methods[function.name] = function
        return
    if "property" in function.decorator_names:
        methods[f"{function.name}_setter"] = methods[function.name]
        methods[function.name] = function
    else:
        methods[f"{function.name}_setter"] = function


def _attribute_key(node: ast.Assign, index: int) -> str:
    target = node.targets[0]
    return target.id if isinstance(target, ast.Name) else f"{ast.unparse(target)}#{index}"


def _is_dotted(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


class Reader:
    """Cuts the parts of definitions out of one text."""

    def __init__(self, text: str, lexed: Lexed, lines: LineMap) -> None:
        self.text, self.lexed, self.lines = text, lexed, lines

    def cut(self, node: ast.expr | ast.keyword | ast.arg) -> str:
        start, end = self.lines.span(node)
        return self.text[start:end]

    def header_end(self, line: int, name: str) -> int:
        """Offset of the colon that ends the header starting on ``line``."""
        return self._colon(self.lexed.code.index(name, self.lines.start_of(line)))

    def block(self, body: Sequence[ast.stmt], colon: int, last: int) -> tuple[list[Statement], str]:
        """The statements of an indented block, or of a one-line suite behind the colon."""
        header_line = self.lines.line_at(colon)
        if body[0].lineno == header_line:
            start, end = self.lines.span(body[0])[0], self.lines.end_of(header_line)
            indent = " " * (self._indent(header_line) + 4)
            end = max(end, self.lines.span(body[-1])[1])
            text = indent + self.text[start:end]
            return [Statement("", text, tuple(body), start, end)], ""
        return split_block(self.lines, body, header_line + 1, last)

    def apart(self, statement: Statement) -> list[Statement]:
        """A line that several statements share, as one line for each."""
        if len(statement.nodes) == 1:
            return [statement]
        first = statement.text
        indent = first[: len(first) - len(first.lstrip())]
        found = []
        for index, node in enumerate(statement.nodes):
            start, end = self.lines.span(node)
            lead = "" if index else statement.lead
            final = index == len(statement.nodes) - 1
            text = self.text[start : statement.end if final else end]
            found.append(Statement(lead, indent + text.rstrip().rstrip(";"), (node,), start, end))
        return found

    def decorators(
        self, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    ) -> tuple[str, str]:
        """Source of the decorators, and the lines between the last one and the keyword."""
        if not node.decorator_list:
            return "", ""
        first = node.decorator_list[0].lineno
        last = node.decorator_list[-1].end_lineno or first
        start, middle = self.lines.start_of(first), self.lines.start_of(last + 1)
        return self.text[start:middle], self.text[middle : self.lines.start_of(node.lineno)]

    def type_parameters(self, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
        """The ``[T]`` of a generic class or function (Python 3.12 syntax), or nothing."""
        if not getattr(node, "type_params", None):
            return ""
        code, start = self.lexed.code, self.lines.start_of(node.lineno)
        keyword = "class" if isinstance(node, ast.ClassDef) else "def"
        start = code.index(node.name, code.index(keyword, start) + len(keyword)) + len(node.name)
        return self.text[start : self._closing(self.lexed.code.index("[", start)) + 1]

    def function(self, statement: Statement) -> Function:
        node = statement.node
        assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        code = self.lexed.code
        keyword = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
        name_at = code.index(node.name, code.index("def", self.lines.start_of(node.lineno)) + 3)
        type_parameters = self.type_parameters(node)
        opening = code.index("(", name_at + len(node.name) + len(type_parameters))
        closing = self._closing(opening)
        colon = self._colon(closing)
        last = self.lines.line_at(max(statement.end - 1, 0))
        body, footer = self.block(node.body, colon, last)
        one_line = node.body[0].lineno == self.lines.line_at(colon)
        after_colon = (
            ""
            if one_line
            else self.text[colon + 1 : self.lines.end_of(self.lines.line_at(colon))].rstrip()
        )
        decorators, after = self.decorators(node)
        docstrings = tuple(item for item in body if is_docstring(item))
        return Function(
            node.name,
            statement.lead,
            decorators,
            tuple(ast.unparse(item) for item in node.decorator_list),
            after,
            keyword,
            type_parameters,
            self._parameters(node.args, opening, closing),
            self._returns(closing, colon) if node.returns else "",
            after_colon,
            docstrings,
            tuple(body),
            footer + "\n" if footer.strip() else "",
            " " * self._indent(node.lineno),
            statement.text,
        )

    def _returns(self, closing: int, colon: int) -> str:
        """The annotation behind the arrow, with parentheses that hold its lines together."""
        return self.text[self.lexed.code.index("->", closing) + 2 : colon].strip()

    def _colon(self, position: int) -> int:
        """Offset of the first colon behind ``position`` that is outside brackets."""
        code, position, depth = self.lexed.code, position + 1, 0
        while not (code[position] == ":" and depth == 0):
            depth += (code[position] in _BRACKETS) - (code[position] in ")]}")
            position += 1
        return position

    def _indent(self, line: int) -> int:
        content = self.text[self.lines.start_of(line) : self.lines.end_of(line)]
        return len(content) - len(content.lstrip())

    def _closing(self, opening: int) -> int:
        """Offset of the bracket that closes the one at ``opening``."""
        code, depth = self.lexed.code, 0
        for position in range(opening, len(code)):
            if code[position] in _BRACKETS:
                depth += 1
            elif code[position] in ")]}":
                depth -= 1
                if depth == 0:
                    return position
        raise ValueError("unbalanced brackets")

    def _parameters(self, arguments: ast.arguments, opening: int, closing: int) -> Parameters:
        marks = self._parameter_starts(arguments)
        ends = self._parameter_ends(arguments)
        parsed: list[Parameter] = []
        for index, (name, start) in enumerate(marks):
            limit = marks[index + 1][1] if index + 1 < len(marks) else closing
            end = ends[index]
            parsed.append(Parameter(name, self.text[start:end], self.text[end:limit]))
        counts = [len(arguments.posonlyargs), len(arguments.args)]
        positional_only = tuple(
            replace(item, after=item.after.split("/")[0]) if index == counts[0] - 1 else item
            for index, item in enumerate(parsed[: counts[0]])
        )
        rest = parsed[counts[0] + counts[1] :]
        has_star = bool(arguments.vararg or arguments.kwonlyargs)
        star = rest.pop(0) if has_star else None
        catch_all = rest.pop() if arguments.kwarg else None
        first = marks[0][1] if marks else closing
        return Parameters(
            positional_only,
            tuple(parsed[counts[0] : counts[0] + counts[1]]),
            star,
            tuple(rest),
            catch_all,
            self.text[opening + 1 : first],
        )

    def _parameter_starts(self, arguments: ast.arguments) -> list[tuple[str, int]]:
        """Name and offset of every entry of the list, a bare ``*`` and stars included."""
        starts = [
            (argument.arg, self.lines.span(argument)[0])
            for argument in (*arguments.posonlyargs, *arguments.args)
        ]
        if arguments.vararg:
            starts.append((arguments.vararg.arg, self._star(arguments.vararg, "*")))
        elif arguments.kwonlyargs:
            starts.append(("*", self._star(arguments.kwonlyargs[0], "*")))
        starts += [(item.arg, self.lines.span(item)[0]) for item in arguments.kwonlyargs]
        if arguments.kwarg:
            starts.append((arguments.kwarg.arg, self._star(arguments.kwarg, "**")))
        return starts

    def _star(self, argument: ast.arg, star: str) -> int:
        return self.lexed.code.rindex(star, 0, self.lines.span(argument)[0])

    def _parameter_ends(self, arguments: ast.arguments) -> list[int]:
        positional = [*arguments.posonlyargs, *arguments.args]
        defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
        defaults += arguments.defaults
        ends = [self._end(item, default) for item, default in zip(positional, defaults)]
        if arguments.vararg:
            ends.append(self.lines.span(arguments.vararg)[1])
        elif arguments.kwonlyargs:
            ends.append(self._star(arguments.kwonlyargs[0], "*") + 1)
        ends += [
            self._end(item, default)
            for item, default in zip(arguments.kwonlyargs, arguments.kw_defaults)
        ]
        if arguments.kwarg:
            ends.append(self.lines.span(arguments.kwarg)[1])
        return ends

    def _end(self, argument: ast.arg, default: ast.expr | None) -> int:
        if default is None:
            return self.lines.span(argument)[1]
        end = self.lines.span(default)[1]
        # A parenthesised default ends behind its parentheses, which the tree does not record.
        between = self.lexed.code[self.lines.span(argument)[1] : self.lines.span(default)[0]]
        for _ in range(between.count("(")):
            end = self.lexed.code.index(")", end) + 1
        return end
