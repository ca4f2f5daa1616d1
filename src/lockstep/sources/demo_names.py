"""Names for the people of Contoso: as written, and as spelled in a user principal name.

Given names and surnames come from one culture, so that they fit together.
"""

# ruff: noqa: E501  # the tables are more readable in long lines
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Culture:
    """A pool of given names and surnames. An entry `written=spelled` has a different spelling in user principal names."""

    weight: int
    country: str
    usage_location: str
    language: str
    cities: tuple[str, ...]
    given: tuple[str, ...]
    surnames: tuple[str, ...]
    surname_first: bool = False


def spelled(name: str) -> tuple[str, str]:
    """Return two forms of *name*, an entry of a culture: the name as it is written, and the name in lower case with only the characters
    that a user principal name allows.
    """
    written, _, latin = name.partition("=")
    return written, (latin or written).lower().replace("'", "").replace("’", "").replace(" ", "")


CULTURES = (
    Culture(18, "United States", "US", "en-US", ("Seattle", "Austin", "Boston"),
            ("Olivia", "Emma", "Liam", "Noah", "Ava", "James", "Sophia", "Lucas", "Grace", "Henry", "Ruth", "Kevin", "Denise", "Marcus", "Tanya", "Carl", "Mary-Jane", "Jo-Ann", "Tyrell"),
            ("Smith", "Johnson", "Brown", "Davis", "Miller", "Wilson", "Moore", "Taylor", "Anderson", "Jackson", "Washington", "Carter-Reed", "Lee", "Harris")),
    Culture(10, "Ireland", "IE", "en-IE", ("Dublin", "Cork"),
            ("Aoife", "Seán=Sean", "Niamh", "Ciarán=Ciaran", "Siobhán=Siobhan", "Conor", "Róisín=Roisin", "Padraig"),
            ("O'Brien", "O'Neill", "Murphy", "Kelly", "Ní Dhomhnaill=nidhomhnaill", "Byrne", "D'Arcy", "Walsh", "McCarthy")),
    Culture(14, "Germany", "DE", "de-DE", ("Berlin", "München", "Köln"),
            ("Anna", "Jürgen=Juergen", "Björn=Bjoern", "Käthe=Kaethe", "Lukas", "Jörg=Joerg", "Sabine", "Hans-Peter", "Ulrike", "Kim"),
            ("Müller=Mueller", "Schmidt", "Weiß=Weiss", "Schröder=Schroeder", "Köhler=Koehler", "Groß-Bölting=Gross-Boelting", "Vogel",
             "Jäger=Jaeger", "von der Heide=vonderheide", "Krüger=Krueger")),
    Culture(8, "Sweden", "SE", "sv-SE", ("Stockholm", "Göteborg"),
            ("Åsa=Asa", "Lars", "Märta=Marta", "Göran=Goran", "Ingrid", "Sven", "Elin", "Håkan=Hakan"),
            ("Lindqvist", "Åkesson=Akesson", "Sjöberg=Sjoberg", "Öberg=Oberg", "Nyström=Nystrom", "Berg", "Lindström=Lindstrom")),
    Culture(8, "Poland", "PL", "pl-PL", ("Warszawa", "Kraków"),
            ("Łukasz=Lukasz", "Piotr", "Agnieszka", "Małgorzata=Malgorzata", "Paweł=Pawel", "Zofia", "Stanisław=Stanislaw"),
            ("Nowak", "Kowalczyk", "Wiśniewski=Wisniewski", "Dąbrowska=Dabrowska", "Wójcik=Wojcik", "Szczęsny=Szczesny", "Zieliński=Zielinski")),
    Culture(8, "France", "FR", "fr-FR", ("Paris", "Lyon"),
            ("Élodie=Elodie", "François=Francois", "Anaïs=Anais", "Jean-Luc", "Hélène=Helene", "Loïc=Loic", "Chloé=Chloe"),
            ("Lefèvre=Lefevre", "D'Aboville", "Garçon=Garcon", "Bézier=Bezier", "Moreau", "Saint-Étienne=Saint-Etienne", "Dupont")),
    Culture(8, "Spain", "ES", "es-ES", ("Madrid", "Sevilla"),
            ("José=Jose", "María=Maria", "Íñigo=Inigo", "Lucía=Lucia", "Andrés=Andres", "Begoña=Begona", "Álvaro=Alvaro"),
            ("García=Garcia", "Muñoz=Munoz", "Núñez Peña=nunezpena", "Fernández=Fernandez", "Ibáñez=Ibanez", "López-Cano=Lopez-Cano")),
    Culture(6, "Türkiye", "TR", "tr-TR", ("İstanbul", "İzmir"),
            ("İbrahim=Ibrahim", "Ayşe=Ayse", "Çağla=Cagla", "Işıl=Isil", "Oğuz=Oguz", "Şebnem=Sebnem"),
            ("Yılmaz=Yilmaz", "Çelik=Celik", "Öztürk=Ozturk", "Şahin=Sahin", "Doğan=Dogan", "Güneş=Gunes")),
    Culture(5, "Czechia", "CZ", "cs-CZ", ("Praha", "Brno"),
            ("Jiří=Jiri", "Zdeněk=Zdenek", "Tereza", "Ondřej=Ondrej", "Kateřina=Katerina"),
            ("Dvořák=Dvorak", "Nováková=Novakova", "Černý=Cerny", "Procházka=Prochazka", "Říha=Riha")),
    Culture(5, "Viet Nam", "VN", "vi-VN", ("Hà Nội", "Đà Nẵng"),
            ("Thị Hương=huong", "Văn Đức=duc", "Quỳnh=quynh", "Tuấn=tuan", "Ánh=anh"),
            ("Nguyễn=Nguyen", "Trần=Tran", "Đặng=Dang", "Phạm=Pham", "Lê=Le"), surname_first=True),
    Culture(6, "Japan", "JP", "ja-JP", ("東京", "大阪"),
            ("太郎=Taro", "花子=Hanako", "健一=Kenichi", "美咲=Misaki", "翔太=Shota", "陽菜=Hina"),
            ("山田=Yamada", "佐藤=Sato", "鈴木=Suzuki", "高橋=Takahashi", "渡辺=Watanabe", "小林=Kobayashi"), surname_first=True),
    Culture(6, "China", "CN", "zh-CN", ("上海", "深圳"),
            ("伟=Wei", "芳=Fang", "娜=Na", "秀英=Xiuying", "静=Jing", "磊=Lei"),
            ("王=Wang", "李=Li", "张=Zhang", "刘=Liu", "陈=Chen", "欧阳=Ouyang"), surname_first=True),
    Culture(4, "South Korea", "KR", "ko-KR", ("서울", "부산"),
            ("민준=Minjun", "서연=Seoyeon", "지우=Jiwoo", "하은=Haeun"), ("김=Kim", "이=Lee", "박=Park", "최=Choi"), surname_first=True),
    Culture(6, "India", "IN", "en-IN", ("Bengaluru", "Pune"),
            ("Priya", "Arjun", "Ananya", "Rohan", "Lakshmi", "Vikram", "Deepa", "Sanjay"),
            ("Sharma", "Patel", "Iyer", "Reddy", "Nair", "Krishnamurthy", "Gupta", "Bose")),
    Culture(4, "Greece", "GR", "el-GR", ("Αθήνα",),
            ("Γιώργος=Giorgos", "Μαρία=Maria", "Νίκος=Nikos", "Ελένη=Eleni"), ("Παπαδόπουλος=Papadopoulos", "Αγγέλου=Angelou", "Νικολάου=Nikolaou")),
    Culture(4, "Ukraine", "UA", "uk-UA", ("Київ", "Львів"),
            ("Олена=Olena", "Андрій=Andrii", "Наталія=Nataliia", "Дмитро=Dmytro"), ("Шевченко=Shevchenko", "Коваленко=Kovalenko", "Бондар=Bondar")),
)  # fmt: skip
